package node

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestPhase(t *testing.T) {
	running := corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	waiting := corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}}
	ended := func(code int32) corev1.ContainerStatus {
		return corev1.ContainerStatus{State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: code},
		}}
	}
	crashing := waiting
	crashing.LastTerminationState = ended(1).State

	const always, onFailure, never = corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever
	type list = []corev1.ContainerStatus
	cases := []struct {
		name        string
		policy      corev1.RestartPolicy
		initialized bool
		inits       list
		mains       list
		want        corev1.PodPhase
	}{
		{"init runs", always, false, list{running}, list{waiting}, corev1.PodPending},
		{"init failed for good", never, false, list{ended(1)}, list{waiting}, corev1.PodFailed},
		{"init is tried again", onFailure, false, list{ended(1)}, list{waiting}, corev1.PodPending},
		{"one never started", always, true, nil, list{running, waiting}, corev1.PodPending},
		{"runs", always, true, nil, list{running}, corev1.PodRunning},
		{"between restarts", always, true, nil, list{crashing}, corev1.PodRunning},
		{"ended, restarts", always, true, nil, list{ended(0)}, corev1.PodRunning},
		{"one of two ended", never, true, nil, list{ended(1), running}, corev1.PodRunning},
		{"all ended well", never, true, nil, list{ended(0), ended(0)}, corev1.PodSucceeded},
		{"one failed", never, true, nil, list{ended(0), ended(2)}, corev1.PodFailed},
		{"failed, restarts", onFailure, true, nil, list{ended(2)}, corev1.PodRunning},
		{"ended well, no restart", onFailure, true, nil, list{ended(0)}, corev1.PodSucceeded},
	}
	for _, c := range cases {
		if got := phase(c.policy, c.initialized, c.inits, c.mains); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestRestarts(t *testing.T) {
	for _, c := range []struct {
		policy corev1.RestartPolicy
		code   int32
		want   bool
	}{
		{corev1.RestartPolicyAlways, 0, true},
		{corev1.RestartPolicyAlways, 1, true},
		{corev1.RestartPolicyOnFailure, 0, false},
		{corev1.RestartPolicyOnFailure, 137, true},
		{corev1.RestartPolicyNever, 1, false},
	} {
		if got := restarts(c.policy, c.code); got != c.want {
			t.Errorf("%s after %d: %t", c.policy, c.code, got)
		}
	}
}
