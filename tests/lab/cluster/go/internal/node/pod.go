package node

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// pod is one Pod on this node: its containers, init containers first.
type pod struct {
	provider *provider
	name     types.NamespacedName
	uid      types.UID
	address  *address
	started  metav1.Time

	ctx     context.Context // done when the Pod is to end
	cancel  context.CancelFunc
	silent  atomic.Bool   // being deleted: no one waits for more status
	kill    chan struct{} // closed when the grace period is over
	killed  sync.Once
	done    chan struct{} // closed when all processes are gone
	removal sync.Once

	initContainers []*container
	containers     []*container

	mu         sync.Mutex
	object     *corev1.Pod // as last received; its status is not ours
	conditions []corev1.PodCondition

	notifyMu sync.Mutex
}

func newPod(p *provider, object *corev1.Pod, a *address) *pod {
	created := &pod{
		provider: p,
		name:     types.NamespacedName{Namespace: object.Namespace, Name: object.Name},
		uid:      object.UID,
		address:  a,
		started:  metav1.Now(),
		kill:     make(chan struct{}),
		done:     make(chan struct{}),
		object:   object,
	}
	created.ctx, created.cancel = context.WithCancel(context.Background())
	for _, spec := range object.Spec.InitContainers {
		created.initContainers = append(created.initContainers, newContainer(created, spec, initPolicy(spec, object)))
	}
	for _, spec := range object.Spec.Containers {
		created.containers = append(created.containers, newContainer(created, spec, object.Spec.RestartPolicy))
	}
	return created
}

// initPolicy: init containers run once, those with their own policy Always are sidecars.
func initPolicy(spec corev1.Container, object *corev1.Pod) corev1.RestartPolicy {
	if spec.RestartPolicy != nil {
		return corev1.RestartPolicy(*spec.RestartPolicy)
	}
	if object.Spec.RestartPolicy == corev1.RestartPolicyAlways {
		return corev1.RestartPolicyOnFailure
	}
	return object.Spec.RestartPolicy
}

func (p *pod) start() {
	go func() {
		defer close(p.done)
		p.run()
		p.changed()
	}()
}

func (p *pod) run() {
	defer p.cancel()
	var sidecars, mains sync.WaitGroup
	sidecarContext, stopSidecars := context.WithCancel(p.ctx)
	defer sidecars.Wait()
	defer stopSidecars()
	for _, c := range p.initContainers {
		if c.policy == corev1.RestartPolicyAlways {
			sidecars.Go(func() { c.run(sidecarContext) })
			select {
			case <-c.up:
			case <-p.ctx.Done():
				return
			}
			continue
		}
		c.run(p.ctx)
		if p.ctx.Err() != nil || !c.succeeded() {
			return
		}
	}
	for _, c := range p.containers {
		mains.Go(func() { c.run(p.ctx) })
	}
	mains.Wait()
	// Sidecars get the grace period as well.
	p.end(gracePeriod(p.object))
}

// stop asks all containers to end and lets them be killed after the grace period; a later call can only shorten it.
func (p *pod) stop(grace time.Duration) {
	p.silent.Store(true)
	p.end(grace)
}

func (p *pod) end(grace time.Duration) {
	p.cancel()
	time.AfterFunc(grace, func() { p.killed.Do(func() { close(p.kill) }) })
}

// update takes over what can change on a running Pod.
func (p *pod) update(object *corev1.Pod) {
	p.mu.Lock()
	p.object = object.DeepCopy()
	p.mu.Unlock()
	p.changed()
}

// edit changes a container's status and publishes the result.
func (p *pod) edit(change func()) {
	p.mu.Lock()
	change()
	p.mu.Unlock()
	p.changed()
}

// changed publishes the current status. The snapshot is taken under the lock that orders the calls, so that the last one
// always carries the latest state.
func (p *pod) changed() {
	if p.silent.Load() {
		return
	}
	p.notifyMu.Lock()
	defer p.notifyMu.Unlock()
	p.provider.notify(p.snapshot())
}

// snapshot is the Pod object with the status as it is now. Its metadata is the API server's current one: an update of
// the status subresource writes labels and annotations as well.
func (p *pod) snapshot() *corev1.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	object := p.object.DeepCopy()
	if latest, err := p.provider.lister.Pods(p.name.Namespace).Get(p.name.Name); err == nil && latest.UID == p.uid {
		latest.ObjectMeta.DeepCopyInto(&object.ObjectMeta)
		latest.Status.DeepCopyInto(&object.Status)
	}
	p.describe(object)
	return object
}

func (p *pod) folder() string {
	return filepath.Join(p.provider.dir, p.name.Namespace, p.name.Name+"."+string(p.uid))
}

func (p *pod) find(name string) *container {
	for _, list := range [][]*container{p.initContainers, p.containers} {
		for _, c := range list {
			if c.spec.Name == name {
				return c
			}
		}
	}
	return nil
}
