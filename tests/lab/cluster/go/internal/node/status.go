package node

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// describe writes the Pod's state into the object's status. Called with the Pod's mutex held.
func (p *pod) describe(object *corev1.Pod) {
	status := &object.Status
	status.ObservedGeneration = object.Generation
	status.StartTime = &p.started
	status.HostIP, status.HostIPs = hostAddress, []corev1.HostIP{{IP: hostAddress}}
	status.PodIP, status.PodIPs = p.address.ip, []corev1.PodIP{{IP: p.address.ip}}
	status.InitContainerStatuses = statuses(p.initContainers)
	status.ContainerStatuses = statuses(p.containers)
	policy := object.Spec.RestartPolicy
	if p.ctx.Err() != nil {
		policy = corev1.RestartPolicyNever // nothing starts any more
	}
	status.Phase = phase(policy, p.initialized(), status.InitContainerStatuses, status.ContainerStatuses)

	ready := ready(status.ContainerStatuses)
	p.condition(status, corev1.PodScheduled, true)
	p.condition(status, corev1.PodInitialized, p.initialized())
	p.condition(status, corev1.ContainersReady, ready)
	p.condition(status, corev1.PodReady, ready && gatesOpen(object))
}

func statuses(containers []*container) []corev1.ContainerStatus {
	var list []corev1.ContainerStatus
	for _, c := range containers {
		list = append(list, *c.status.DeepCopy())
	}
	return list
}

// initialized: every init container has done its work, every sidecar has started.
func (p *pod) initialized() bool {
	for _, c := range p.initContainers {
		done := c.status.State.Terminated != nil && c.status.State.Terminated.ExitCode == 0
		if c.policy == corev1.RestartPolicyAlways {
			done = c.status.State.Running != nil
		}
		if !done {
			return false
		}
	}
	return true
}

func ready(statuses []corev1.ContainerStatus) bool {
	for i := range statuses {
		if !statuses[i].Ready {
			return false
		}
	}
	return true
}

// gatesOpen: the conditions named as readiness gates are set by others.
func gatesOpen(object *corev1.Pod) bool {
	for _, gate := range object.Spec.ReadinessGates {
		open := false
		for _, c := range object.Status.Conditions {
			open = open || c.Type == gate.ConditionType && c.Status == corev1.ConditionTrue
		}
		if !open {
			return false
		}
	}
	return true
}

// condition sets one condition; the time of its last change is kept here, since the API server's copy may be older.
func (p *pod) condition(status *corev1.PodStatus, kind corev1.PodConditionType, value bool) {
	set := corev1.PodCondition{
		Type: kind, Status: corev1.ConditionFalse,
		ObservedGeneration: status.ObservedGeneration, LastTransitionTime: metav1.Now(),
	}
	if value {
		set.Status = corev1.ConditionTrue
	}
	if known := find(p.conditions, kind); known == nil {
		p.conditions = append(p.conditions, set)
	} else {
		if known.Status == set.Status {
			set.LastTransitionTime = known.LastTransitionTime
		}
		*known = set
	}
	if shown := find(status.Conditions, kind); shown != nil {
		*shown = set
	} else {
		status.Conditions = append(status.Conditions, set)
	}
}

func find(conditions []corev1.PodCondition, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range conditions {
		if conditions[i].Type == kind {
			return &conditions[i]
		}
	}
	return nil
}

// phase follows the kubelet's rules
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase).
func phase(policy corev1.RestartPolicy, initialized bool, inits, mains []corev1.ContainerStatus) corev1.PodPhase {
	if !initialized {
		for _, s := range inits {
			if t := s.State.Terminated; t != nil && t.ExitCode != 0 && policy == corev1.RestartPolicyNever {
				return corev1.PodFailed
			}
		}
		return corev1.PodPending
	}
	ended, failed := 0, 0
	for _, s := range mains {
		switch {
		case s.State.Waiting != nil && s.LastTerminationState.Terminated == nil:
			return corev1.PodPending
		case s.State.Terminated != nil:
			ended++
			if s.State.Terminated.ExitCode != 0 {
				failed++
			}
		}
	}
	switch {
	case ended < len(mains) || policy == corev1.RestartPolicyAlways:
		return corev1.PodRunning
	case failed == 0:
		return corev1.PodSucceeded
	case policy == corev1.RestartPolicyNever:
		return corev1.PodFailed
	}
	return corev1.PodRunning
}
