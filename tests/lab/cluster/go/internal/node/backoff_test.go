package node

import (
	"testing"
	"time"
)

func TestBackOff(t *testing.T) {
	var b backOff
	steps := []struct{ ran, want time.Duration }{
		{0, 0},
		{0, time.Second},
		{0, 2 * time.Second},
		{9 * time.Minute, 4 * time.Second},
		{10 * time.Minute, 0},
		{0, time.Second},
	}
	for i, step := range steps {
		if got := b.next(step.ran); got != step.want {
			t.Errorf("step %d: %s, want %s", i, got, step.want)
		}
	}
	for range 20 {
		b.next(0)
	}
	if got := b.next(0); got != maxPause {
		t.Errorf("after many crashes: %s, want %s", got, maxPause)
	}
}
