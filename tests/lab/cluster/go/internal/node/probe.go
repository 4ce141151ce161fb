package node

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/probe"
	grpcprobe "k8s.io/kubernetes/pkg/probe/grpc"
	httpprobe "k8s.io/kubernetes/pkg/probe/http"
	tcpprobe "k8s.io/kubernetes/pkg/probe/tcp"
)

// eagerPeriod is the time between two probes until the first success: readiness after a start is then seen at once,
// where the kubelet would wait for up to periodSeconds.
const eagerPeriod = 100 * time.Millisecond

// probe runs the container's probes until ctx is done; a container that must be started again is reported once.
func (c *container) probe(ctx context.Context, unhealthy chan<- string) {
	if c.spec.StartupProbe != nil {
		w := watch{probe: c.spec.StartupProbe, eager: true}
		healthy, message := w.first(ctx, c.check)
		if ctx.Err() != nil {
			return
		}
		if !healthy {
			unhealthy <- "startup probe failed: " + message
			return
		}
		c.pod.edit(func() {
			started := true
			c.status.Started = &started
			c.status.Ready = c.spec.ReadinessProbe == nil
		})
	}
	var group sync.WaitGroup
	if c.spec.ReadinessProbe != nil {
		w := watch{probe: c.spec.ReadinessProbe, eager: true}
		group.Go(func() {
			w.each(ctx, c.check, func(healthy bool, _ string) bool {
				c.pod.edit(func() { c.status.Ready = healthy })
				return true
			})
		})
	}
	if c.spec.LivenessProbe != nil {
		w := watch{probe: c.spec.LivenessProbe}
		group.Go(func() {
			w.each(ctx, c.check, func(healthy bool, message string) bool {
				if !healthy {
					unhealthy <- "liveness probe failed: " + message
				}
				return healthy
			})
		})
	}
	group.Wait()
}

// check runs one probe once.
func (c *container) check(ctx context.Context, p *corev1.Probe) (bool, string) {
	timeout := time.Duration(max(p.TimeoutSeconds, 1)) * time.Second
	var result probe.Result
	var output string
	var err error
	switch {
	case p.Exec != nil:
		limit, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		output, err = c.execute(limit, p.Exec.Command)
		if err == nil {
			result = probe.Success
		}
	case p.HTTPGet != nil:
		request, failure := httpprobe.NewRequestForHTTPGetAction(p.HTTPGet, &c.spec, c.pod.address.ip, "probe")
		if failure != nil {
			return false, failure.Error()
		}
		result, output, err = httpprobe.New(false).Probe(request, timeout)
	case p.TCPSocket != nil:
		port, failure := probe.ResolveContainerPort(p.TCPSocket.Port, &c.spec)
		if failure != nil {
			return false, failure.Error()
		}
		host := p.TCPSocket.Host
		if host == "" {
			host = c.pod.address.ip
		}
		result, output, err = tcpprobe.New().Probe(host, port, timeout)
	case p.GRPC != nil:
		service := ""
		if p.GRPC.Service != nil {
			service = *p.GRPC.Service
		}
		result, output, err = grpcprobe.New().Probe(c.pod.address.ip, service, int(p.GRPC.Port), timeout,
			grpcprobe.ProbeOptions{})
	default:
		return false, "the probe has no action"
	}
	if err != nil {
		return false, fmt.Sprintf("%s %v", output, err)
	}
	return result == probe.Success || result == probe.Warning, output
}

// execute runs a command as `kubectl exec` or a probe would: with the container's environment and working folder.
func (c *container) execute(ctx context.Context, argv []string) (string, error) {
	cmd, err := c.command(ctx, argv)
	if err != nil {
		return "", err
	}
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// command prepares a command beside the container's main process, in a group of its own that ends with ctx.
func (c *container) command(ctx context.Context, argv []string) (*exec.Cmd, error) {
	if len(argv) == 0 {
		return nil, errors.New("no command given")
	}
	c.pod.mu.Lock()
	env := c.env
	c.pod.mu.Unlock()
	path, err := lookup(argv[0], env)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.Args, cmd.Env, cmd.Dir = argv, env, c.dir()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd, nil
}
