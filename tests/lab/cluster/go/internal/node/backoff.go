package node

import "time"

// The pauses are those of the kubelet with its feature gate ReduceDefaultCrashLoopBackOffDecay
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restarts): the first restart is
// immediate, then 1 s, doubling up to 1 min, and reset after 10 min of undisturbed running.
const (
	firstPause = time.Second
	maxPause   = time.Minute
	resetAfter = 10 * time.Minute
)

// backOff counts the restarts of one container.
type backOff struct {
	pause   time.Duration
	restart bool
}

// next is the pause before the next start of a container that ran for the given time.
func (b *backOff) next(ran time.Duration) time.Duration {
	if ran >= resetAfter || !b.restart {
		*b = backOff{restart: true}
		return 0
	}
	b.pause = min(max(b.pause*2, firstPause), maxPause)
	return b.pause
}
