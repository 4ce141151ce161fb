package node

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRemainingGroups(t *testing.T) {
	got := remaining(strings.NewReader("+100\n+200\n-100\n+300\nnonsense\n+1\n-300\n+100\n"))
	if want := map[int]bool{100: true, 200: true}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func startShell(t *testing.T, script string) (*process, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	env := []string{"PATH=" + os.Getenv("PATH"), "WHO=world"}
	p, err := startProcess([]string{"sh", "-c", script}, env, t.TempDir(), log, &watchdog{pipe: &strings.Builder{}})
	if err != nil {
		t.Fatal(err)
	}
	return p, log
}

func TestProcessEnds(t *testing.T) {
	p, log := startShell(t, "echo hello $WHO; exit 3")
	<-p.done
	output, err := os.ReadFile(log)
	if err != nil || string(output) != "hello world\n" {
		t.Errorf("log %q, %v", output, err)
	}
	if p.exitCode != 3 || p.signal != 0 {
		t.Errorf("exit code %d, signal %d", p.exitCode, p.signal)
	}
}

func TestTerminate(t *testing.T) {
	over := make(chan struct{})
	p, _ := startShell(t, "while :; do sleep 0.05; done")
	p.terminate(over)
	if p.exitCode != 128+int32(syscall.SIGTERM) {
		t.Errorf("exit code %d after SIGTERM", p.exitCode)
	}

	p, log := startShell(t, "trap '' TERM; sleep 600 & echo ready; wait; wait")
	for output, _ := os.ReadFile(log); len(output) == 0; output, _ = os.ReadFile(log) {
		time.Sleep(5 * time.Millisecond)
	}
	close(over)
	p.terminate(over)
	if p.exitCode != 128+int32(syscall.SIGKILL) {
		t.Errorf("exit code %d after the grace period", p.exitCode)
	}
}

func TestLookup(t *testing.T) {
	if path, err := lookup("/no/such/file", nil); err != nil || path != "/no/such/file" {
		t.Errorf("a path stays as it is: %q, %v", path, err)
	}
	if path, err := lookup("sh", []string{"PATH=/nowhere:/bin"}); err != nil || path != "/bin/sh" {
		t.Errorf("%q, %v", path, err)
	}
	if _, err := lookup("sh", []string{"PATH=/nowhere"}); err == nil {
		t.Error("found on a PATH where it is not")
	}
}
