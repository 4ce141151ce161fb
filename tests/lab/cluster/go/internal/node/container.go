package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// configRetry is the pause before a container whose configuration is incomplete (a missing Secret, no command) is tried
// again.
const configRetry = 500 * time.Millisecond

var errNoCommand = errors.New("the container has no command; images are not run here, so `command` must be set")

// container is one container of a Pod: a local process, started again as the restart policy says.
type container struct {
	pod    *pod
	spec   corev1.Container
	policy corev1.RestartPolicy

	up     chan struct{} // closed when it has started for the first time
	upOnce sync.Once

	// Guarded by the Pod's mutex.
	status corev1.ContainerStatus
	env    []string // of the current process
}

func newContainer(p *pod, spec corev1.Container, policy corev1.RestartPolicy) *container {
	started := false
	return &container{
		pod: p, spec: spec, policy: policy, up: make(chan struct{}),
		status: corev1.ContainerStatus{
			Name: spec.Name, Image: spec.Image, ImageID: spec.Image, Started: &started,
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}},
		},
	}
}

// run keeps the container going until ctx is done or the restart policy says that it has ended for good.
func (c *container) run(ctx context.Context) {
	var delay backOff
	for {
		process, err := c.launch(ctx)
		if err != nil {
			c.waiting("CreateContainerConfigError", err.Error())
			if !pause(ctx, configRetry) {
				return
			}
			continue
		}
		end := c.supervise(ctx, process)
		if ctx.Err() != nil || !restarts(c.policy, end.ExitCode) {
			c.terminated(end)
			return
		}
		c.terminated(end)
		if wait := delay.next(end.FinishedAt.Sub(end.StartedAt.Time)); wait > 0 {
			c.waiting("CrashLoopBackOff", fmt.Sprintf("restart in %s after exit code %d", wait, end.ExitCode))
			if !pause(ctx, wait) {
				return
			}
		}
		c.pod.mu.Lock()
		c.status.RestartCount++
		c.pod.mu.Unlock()
	}
}

// launch starts the process with the environment resolved anew, as the kubelet does at every start of a container.
func (c *container) launch(ctx context.Context) (*process, error) {
	if len(c.spec.Command)+len(c.spec.Args) == 0 {
		return nil, errNoCommand
	}
	if path, ok := unmountable(&c.spec); ok {
		return nil, fmt.Errorf("the volume at %s cannot be mounted: containers share this machine's file system", path)
	}
	object := c.pod.snapshot()
	variables, err := c.pod.provider.resolver.environment(ctx, object, &c.spec)
	if err != nil {
		return nil, err
	}
	env := variables.list()
	c.pod.mu.Lock()
	log := c.logPath(c.status.RestartCount)
	c.pod.mu.Unlock()
	argv := expand(append(append([]string{}, c.spec.Command...), c.spec.Args...), variables)
	started, err := startProcess(argv, env, c.dir(), log, c.pod.provider.guard)
	if err != nil {
		return nil, err
	}
	c.running(env)
	return started, nil
}

// supervise probes the process until it ends; it is told to end when ctx is done or a probe demands it.
func (c *container) supervise(ctx context.Context, p *process) *corev1.ContainerStateTerminated {
	probing, stopProbes := context.WithCancel(ctx)
	unhealthy := make(chan string, 1)
	var probes sync.WaitGroup
	probes.Go(func() { c.probe(probing, unhealthy) })

	message := ""
	select {
	case <-p.done:
	case <-ctx.Done():
		stopProbes()
		c.preStop(ctx)
		p.terminate(c.pod.kill)
	case message = <-unhealthy:
		grace, cancel := context.WithTimeout(context.Background(), gracePeriod(c.pod.snapshot()))
		p.terminate(grace.Done())
		cancel()
	}
	stopProbes()
	probes.Wait()

	reason := "Completed"
	if p.exitCode != 0 {
		reason = "Error"
	}
	return &corev1.ContainerStateTerminated{
		ExitCode: p.exitCode, Signal: p.signal, Reason: reason, Message: message,
		StartedAt: metav1.NewTime(p.startedAt), FinishedAt: metav1.NewTime(p.finishedAt),
	}
}

// preStop runs the hook of that name within the grace period; a failing hook does not keep the container from ending.
func (c *container) preStop(ctx context.Context) {
	if c.spec.Lifecycle == nil || c.spec.Lifecycle.PreStop == nil {
		return
	}
	hook := c.spec.Lifecycle.PreStop
	limit, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() {
		select {
		case <-c.pod.kill:
			cancel()
		case <-limit.Done():
		}
	}()
	switch {
	case hook.Exec != nil:
		_, _ = c.execute(limit, hook.Exec.Command)
	case hook.Sleep != nil:
		pause(limit, time.Duration(hook.Sleep.Seconds)*time.Second)
	}
}

func (c *container) running(env []string) {
	c.pod.edit(func() {
		started := c.spec.StartupProbe == nil
		c.env = env
		c.status.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
		c.status.Started = &started
		c.status.Ready = started && c.spec.ReadinessProbe == nil
	})
	c.upOnce.Do(func() { close(c.up) })
}

func (c *container) waiting(reason, message string) {
	c.pod.edit(func() {
		if t := c.status.State.Terminated; t != nil {
			c.status.LastTerminationState = corev1.ContainerState{Terminated: t}
		}
		c.status.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	})
}

func (c *container) terminated(end *corev1.ContainerStateTerminated) {
	c.pod.edit(func() {
		started := false
		c.status.State = corev1.ContainerState{Terminated: end}
		// An init container that has done its work stays ready, as the kubelet has it.
		c.status.Ready = c.isInit() && end.ExitCode == 0
		c.status.Started = &started
	})
}

func (c *container) succeeded() bool {
	c.pod.mu.Lock()
	defer c.pod.mu.Unlock()
	return c.status.State.Terminated != nil && c.status.State.Terminated.ExitCode == 0
}

func (c *container) isInit() bool {
	for _, other := range c.pod.initContainers {
		if other == c {
			return true
		}
	}
	return false
}

// dir is the working folder: the Pod's own where none is given, since there is no image that names one.
func (c *container) dir() string {
	if c.spec.WorkingDir != "" {
		return c.spec.WorkingDir
	}
	return c.pod.folder()
}

func (c *container) logPath(restarts int32) string {
	return filepath.Join(c.pod.folder(), fmt.Sprintf("%s.%d.log", c.spec.Name, restarts))
}

// unmountable finds a volume that the container counts on. The ServiceAccount's token is mounted into every Pod unasked;
// a process that needs it gets a kubeconfig by its environment.
func unmountable(spec *corev1.Container) (path string, found bool) {
	for _, mount := range spec.VolumeMounts {
		if mount.MountPath != "/var/run/secrets/kubernetes.io/serviceaccount" {
			return mount.MountPath, true
		}
	}
	return "", false
}

// restarts says whether a container that ended with this code is started again.
func restarts(policy corev1.RestartPolicy, code int32) bool {
	return policy == corev1.RestartPolicyAlways || policy == corev1.RestartPolicyOnFailure && code != 0
}

// pause waits and returns false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
