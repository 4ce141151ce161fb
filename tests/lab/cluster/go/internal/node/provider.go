package node

import (
	"context"
	"sync"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/errdefs"
	vknode "github.com/virtual-kubelet/virtual-kubelet/node"
	"github.com/virtual-kubelet/virtual-kubelet/node/nodeutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	corev1listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/klog/v2"
)

// shutdownGrace is what containers get between SIGTERM and SIGKILL when the agent itself ends.
const shutdownGrace = time.Second

// provider keeps the Pods of this node.
type provider struct {
	client    kubernetes.Interface
	dir       string
	guard     *watchdog
	resolver  *resolver
	addresses addresses

	// Set once by virtual-kubelet before the first Pod arrives.
	lister corev1listers.PodLister
	notify func(*corev1.Pod)

	mu   sync.Mutex
	pods map[types.NamespacedName]*pod
}

func newProvider(client kubernetes.Interface, dir string, guard *watchdog, r *resolver) *provider {
	return &provider{
		client: client, dir: dir, guard: guard, resolver: r,
		notify: func(*corev1.Pod) {},
		pods:   map[types.NamespacedName]*pod{},
	}
}

func (p *provider) attach(c nodeutil.ProviderConfig) (nodeutil.Provider, vknode.NodeProvider, error) {
	p.lister = c.Pods
	describe(c.Node)
	return p, nil, nil
}

// NotifyPods implements node.PodNotifier.
func (p *provider) NotifyPods(_ context.Context, notify func(*corev1.Pod)) { p.notify = notify }

// CreatePod starts the Pod's containers; what goes wrong with one shows in its status.
func (p *provider) CreatePod(_ context.Context, object *corev1.Pod) error {
	address, err := p.addresses.claim()
	if err != nil {
		return err
	}
	created := newPod(p, object.DeepCopy(), address)
	p.mu.Lock()
	p.pods[created.name] = created
	p.mu.Unlock()
	created.start()
	return nil
}

// UpdatePod takes the changed labels and annotations over. A Pod of the same name but another UID replaces the old one.
func (p *provider) UpdatePod(ctx context.Context, object *corev1.Pod) error {
	current := p.find(object.Namespace, object.Name)
	if current == nil {
		return errdefs.NotFoundf("Pod %s/%s is not on this node", object.Namespace, object.Name)
	}
	if current.uid != object.UID {
		current.stop(0)
		<-current.done
		p.forget(current)
		return p.CreatePod(ctx, object)
	}
	current.update(object)
	return nil
}

// DeletePod ends the containers and then removes the Pod object. Virtual-kubelet by itself would remove the object only
// when the whole grace period is over, although the processes ended at once.
func (p *provider) DeletePod(_ context.Context, object *corev1.Pod) error {
	doomed := p.find(object.Namespace, object.Name)
	if doomed == nil || doomed.uid != object.UID {
		// Usual: removing the object makes virtual-kubelet ask again. An error would become a warning event.
		return nil
	}
	doomed.stop(gracePeriod(object))
	doomed.removal.Do(func() {
		go func() {
			<-doomed.done
			p.forget(doomed)
			p.removeObject(doomed)
		}()
	})
	return nil
}

func (p *provider) removeObject(gone *pod) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pods := p.client.CoreV1().Pods(gone.name.Namespace)
	if final := gone.snapshot(); len(final.Finalizers) > 0 {
		// The object outlives the call below; whoever holds the finalizer (the Job controller) looks at the final status.
		if _, err := pods.UpdateStatus(ctx, final, metav1.UpdateOptions{}); err != nil {
			klog.V(2).InfoS("Final status not written", "pod", gone.name, "reason", err)
		}
	}
	options := *metav1.NewDeleteOptions(0)
	options.Preconditions = metav1.NewUIDPreconditions(string(gone.uid))
	err := pods.Delete(ctx, gone.name.Name, options)
	if err != nil {
		// Usually it is gone already; else virtual-kubelet removes it at the end of the grace period.
		klog.V(2).InfoS("Pod object not removed", "pod", gone.name, "reason", err)
	}
}

// GetPod implements node.PodLifecycleHandler.
func (p *provider) GetPod(_ context.Context, namespace, name string) (*corev1.Pod, error) {
	if found := p.find(namespace, name); found != nil {
		return found.snapshot(), nil
	}
	return nil, errdefs.NotFoundf("Pod %s/%s is not on this node", namespace, name)
}

// GetPodStatus implements node.PodLifecycleHandler.
func (p *provider) GetPodStatus(ctx context.Context, namespace, name string) (*corev1.PodStatus, error) {
	object, err := p.GetPod(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	return &object.Status, nil
}

// GetPods implements node.PodLifecycleHandler.
func (p *provider) GetPods(context.Context) ([]*corev1.Pod, error) {
	var objects []*corev1.Pod
	for _, each := range p.all() {
		objects = append(objects, each.snapshot())
	}
	return objects, nil
}

func (p *provider) find(namespace, name string) *pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pods[types.NamespacedName{Namespace: namespace, Name: name}]
}

func (p *provider) all() []*pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	var pods []*pod
	for _, each := range p.pods {
		pods = append(pods, each)
	}
	return pods
}

func (p *provider) forget(gone *pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pods[gone.name] == gone {
		delete(p.pods, gone.name)
	}
	gone.address.release()
}

// stopAll ends every container and returns when all processes are gone.
func (p *provider) stopAll() {
	pods := p.all()
	for _, each := range pods {
		each.stop(shutdownGrace)
	}
	for _, each := range pods {
		<-each.done
	}
}

func gracePeriod(object *corev1.Pod) time.Duration {
	seconds := int64(corev1.DefaultTerminationGracePeriodSeconds)
	if object.DeletionGracePeriodSeconds != nil {
		seconds = *object.DeletionGracePeriodSeconds
	} else if object.Spec.TerminationGracePeriodSeconds != nil {
		seconds = *object.Spec.TerminationGracePeriodSeconds
	}
	return time.Duration(seconds) * time.Second
}
