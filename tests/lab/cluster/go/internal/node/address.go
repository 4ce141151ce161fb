package node

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// claimPort is bound on a Pod's address for as long as the Pod lives: the claim holds against every other node agent on
// this machine, and the kernel releases it with the process.
const claimPort = "10250"

// addresses hands out loopback addresses from 127.22.0.0/16, one per Pod.
type addresses struct{}

type address struct {
	ip    string
	claim net.Listener
}

func (addresses) claim() (*address, error) {
	const attempts = 100
	var last error
	for range attempts {
		host := 256 + rand.IntN(1<<16-512)
		ip := fmt.Sprintf("127.22.%d.%d", host>>8, host&0xff)
		listener, err := net.Listen("tcp", net.JoinHostPort(ip, claimPort))
		if err == nil {
			return &address{ip: ip, claim: listener}, nil
		}
		last = err
	}
	return nil, errors.Join(errors.New("no free Pod address in 127.22.0.0/16"), last)
}

func (a *address) release() { _ = a.claim.Close() }
