package node

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a container's main process; it leads a process group of its own.
type process struct {
	group int
	done  chan struct{} // closed when no process of the group is left

	// Valid when done is closed.
	exitCode, signal      int32
	startedAt, finishedAt time.Time
}

// startProcess runs the command with its output appended to a log file.
func startProcess(argv, env []string, dir, log string, guard *watchdog) (*process, error) {
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		return nil, err
	}
	output, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	path, err := lookup(argv[0], env)
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{
		Path: path, Args: argv, Env: env, Dir: dir, Stdout: output, Stderr: output,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{group: cmd.Process.Pid, done: make(chan struct{}), startedAt: time.Now()}
	guard.add(p.group)
	go func() {
		defer close(p.done)
		_ = cmd.Wait()
		p.exitCode, p.signal = exitStatus(cmd.ProcessState)
		p.clear()
		guard.remove(p.group)
		p.finishedAt = time.Now()
	}()
	return p, nil
}

// clear ends what is left of the group, as the end of a container's first process ends its PID namespace. The agent is
// the subreaper of all of them, so waiting on the group returns when the last one is gone.
func (p *process) clear() {
	p.send(syscall.SIGKILL)
	for {
		_, err := syscall.Wait4(-p.group, nil, 0, nil)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

// terminate sends SIGTERM, at the end of the grace period SIGKILL, and returns when the group is gone.
func (p *process) terminate(graceOver <-chan struct{}) {
	p.send(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-graceOver:
		p.send(syscall.SIGKILL)
		<-p.done
	}
}

func (p *process) send(signal syscall.Signal) { _ = syscall.Kill(-p.group, signal) }

// exitStatus gives the exit code as container runtimes do: 128 + signal for a process ended by one.
func exitStatus(state *os.ProcessState) (code, signal int32) {
	if state == nil {
		return 255, 0
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int32(status.Signal()), int32(status.Signal())
	}
	return int32(state.ExitCode()), 0
}
