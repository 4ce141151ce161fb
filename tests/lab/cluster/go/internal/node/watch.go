package node

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// watch turns a probe's single results into decisions, by the thresholds of
// https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/.
type watch struct {
	probe *corev1.Probe
	eager bool // probe at eagerPeriod until the first success

	succeeded           bool // ever
	successes, failures int32
	firstFailure        time.Time
}

type check func(context.Context, *corev1.Probe) (healthy bool, message string)

// add counts one result; decided says that a threshold was reached with it.
func (w *watch) add(healthy bool, now time.Time) (decided bool) {
	if healthy {
		w.succeeded, w.failures = true, 0
		w.successes++
		return w.successes == max(w.probe.SuccessThreshold, 1)
	}
	if w.failures == 0 {
		w.firstFailure = now
	}
	w.successes = 0
	w.failures++
	threshold := max(w.probe.FailureThreshold, 1)
	if w.eager && !w.succeeded {
		// Probed more often than asked for: what counts is the time that so many failures would have taken.
		return now.Sub(w.firstFailure) >= time.Duration(threshold)*w.period()
	}
	return w.failures == threshold
}

// wait is the time to the next probe.
func (w *watch) wait() time.Duration {
	if w.eager && !w.succeeded {
		return min(eagerPeriod, w.period())
	}
	return w.period()
}

func (w *watch) period() time.Duration {
	if w.probe.PeriodSeconds < 1 {
		return 10 * time.Second
	}
	return time.Duration(w.probe.PeriodSeconds) * time.Second
}

// each probes until ctx is done or decide returns false; decide is told each time a threshold is reached.
func (w *watch) each(ctx context.Context, c check, decide func(healthy bool, message string) bool) {
	if !pause(ctx, time.Duration(w.probe.InitialDelaySeconds)*time.Second) {
		return
	}
	for {
		healthy, message := c(ctx, w.probe)
		if ctx.Err() != nil {
			return
		}
		if w.add(healthy, time.Now()) && !decide(healthy, message) {
			return
		}
		if !pause(ctx, w.wait()) {
			return
		}
	}
}

// first probes until the first decision.
func (w *watch) first(ctx context.Context, c check) (healthy bool, message string) {
	w.each(ctx, c, func(h bool, m string) bool {
		healthy, message = h, m
		return false
	})
	return healthy, message
}
