package node

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestThresholds(t *testing.T) {
	w := watch{probe: &corev1.Probe{PeriodSeconds: 5, SuccessThreshold: 2, FailureThreshold: 3}}
	results := []struct{ healthy, decided bool }{
		{true, false}, {true, true}, {true, false},
		{false, false}, {false, false}, {false, true}, {false, false},
		{true, false}, {false, false}, {true, false}, {true, true},
	}
	for i, r := range results {
		if got := w.add(r.healthy, time.Now()); got != r.decided {
			t.Errorf("result %d: decided %t, want %t", i, got, r.decided)
		}
		if got := w.wait(); got != 5*time.Second {
			t.Errorf("result %d: next probe in %s", i, got)
		}
	}
}

func TestEagerUntilFirstSuccess(t *testing.T) {
	w := watch{probe: &corev1.Probe{PeriodSeconds: 2, FailureThreshold: 3}, eager: true}
	start := time.Unix(0, 0)
	for _, at := range []time.Duration{0, 100 * time.Millisecond, 5 * time.Second} {
		if w.add(false, start.Add(at)) {
			t.Errorf("gave up after %s, before 3 × 2 s", at)
		}
	}
	if w.wait() != eagerPeriod {
		t.Errorf("next probe in %s before the first success", w.wait())
	}
	if !w.add(false, start.Add(6*time.Second)) {
		t.Error("did not give up after 3 × 2 s")
	}
	if !w.add(true, start.Add(7*time.Second)) {
		t.Error("the first success decides")
	}
	if w.wait() != 2*time.Second {
		t.Errorf("next probe in %s after the first success", w.wait())
	}
}
