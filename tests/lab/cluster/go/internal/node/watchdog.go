package node

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// watchdog is a second process that is told every process group by a pipe. When the agent ends, however that comes
// about, the pipe closes and the watchdog kills the groups that are left.
type watchdog struct {
	mu   sync.Mutex
	pipe io.Writer
}

func startWatchdog() (*watchdog, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "node-watchdog")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &watchdog{pipe: pipe}, nil
}

func (w *watchdog) add(group int)    { w.tell('+', group) }
func (w *watchdog) remove(group int) { w.tell('-', group) }

func (w *watchdog) tell(sign rune, group int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = fmt.Fprintf(w.pipe, "%c%d\n", sign, group)
}

// Watchdog is the watchdog's own program: it reads process groups from the agent and returns an exit status.
func Watchdog(input io.Reader) int {
	for group := range remaining(input) {
		_ = syscall.Kill(-group, syscall.SIGKILL)
	}
	return 0
}

// remaining reads "+group" and "-group" lines to the end and gives the groups that were not taken back.
func remaining(input io.Reader) map[int]bool {
	groups := map[int]bool{}
	lines := bufio.NewScanner(input)
	for lines.Scan() {
		var sign rune
		var group int
		if _, err := fmt.Sscanf(lines.Text(), "%c%d", &sign, &group); err != nil || group <= 1 {
			continue
		}
		if sign == '+' {
			groups[group] = true
		} else {
			delete(groups, group)
		}
	}
	return groups
}
