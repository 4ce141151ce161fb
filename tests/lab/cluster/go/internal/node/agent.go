// Package node is a Kubernetes node whose containers are local processes: a provider for virtual-kubelet.
package node

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/log"
	"github.com/virtual-kubelet/virtual-kubelet/log/klogv2"
	vknode "github.com/virtual-kubelet/virtual-kubelet/node"
	"github.com/virtual-kubelet/virtual-kubelet/node/nodeutil"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// hostAddress is the node's own address; Pods have theirs (see addresses).
const hostAddress = "127.0.0.1"

type options struct {
	name, kubeconfig, dir             string
	certificate, key, clientAuthority string
	port                              int
}

// Main runs the node agent until SIGTERM and returns its exit status.
func Main(args []string) int {
	var o options
	flags := flag.NewFlagSet("node", flag.ExitOnError)
	flags.StringVar(&o.name, "name", "local", "name of the Node object")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "how to reach the API server")
	flags.StringVar(&o.dir, "dir", "", "folder for logs and working folders of containers")
	flags.IntVar(&o.port, "port", 10250, "kubelet port on "+hostAddress)
	flags.StringVar(&o.certificate, "tls-cert-file", "", "serving certificate of the kubelet port")
	flags.StringVar(&o.key, "tls-private-key-file", "", "key of the serving certificate")
	flags.StringVar(&o.clientAuthority, "client-ca-file", "", "authority that clients of the kubelet port must prove")
	_ = flags.Parse(args)

	log.L = klogv2.New(nil)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		klog.ErrorS(err, "The node agent ends")
		return 1
	}
	return 0
}

func run(ctx context.Context, o options) error {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return fmt.Errorf("kubeconfig %s: %w", o.kubeconfig, err)
	}
	config.QPS, config.Burst = 500, 500
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("client from %s: %w", o.kubeconfig, err)
	}
	// Children of a container's main process come to this process when their parent ends, so that it can wait until
	// the whole group is gone.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become subreaper: %w", err)
	}
	guard, err := startWatchdog()
	if err != nil {
		return fmt.Errorf("start the watchdog: %w", err)
	}
	api, err := apiEnvironment(config)
	if err != nil {
		return err
	}
	p := newProvider(client, o.dir, guard, &resolver{client: client, node: o.name, api: api})
	defer p.stopAll()

	mux := http.NewServeMux()
	node, err := nodeutil.NewNode(o.name, p.attach,
		nodeutil.WithClient(client),
		nodeutil.AttachProviderRoutes(mux),
		nodeutil.WithTLSConfig(
			nodeutil.WithKeyPairFromPath(o.certificate, o.key),
			nodeutil.WithCAFromPath(o.clientAuthority)),
		nodeutil.WithPodControllerConfigOverrides(promptQueues),
		func(c *nodeutil.NodeConfig) error {
			c.Handler = mux
			c.HTTPListenAddr = net.JoinHostPort(hostAddress, strconv.Itoa(o.port))
			c.NumWorkers = 16
			c.SkipDownwardAPIResolution = true // see resolver
			c.NodeSpec.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(o.port)
			return nil
		})
	if err != nil {
		return fmt.Errorf("create the node: %w", err)
	}
	if err := node.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("run the node: %w", err)
	}
	return nil
}

// promptQueues replaces the default limit of 10 items a second, which would hold back Pods of larger Deployments.
func promptQueues(c *vknode.PodControllerConfig) error {
	limiter := func() workqueue.TypedRateLimiter[any] {
		return workqueue.NewTypedItemExponentialFailureRateLimiter[any](2*time.Millisecond, 2*time.Second)
	}
	c.SyncPodsFromKubernetesRateLimiter = limiter()
	c.DeletePodsFromKubernetesRateLimiter = limiter()
	c.SyncPodStatusFromProviderRateLimiter = limiter()
	return nil
}

// describe fills in what the Node object says of itself.
func describe(node *corev1.Node) {
	resources := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("100"),
		corev1.ResourceMemory: resource.MustParse("100Gi"),
		corev1.ResourcePods:   resource.MustParse("500"),
	}
	now := metav1.Now()
	node.Spec.Taints = nil
	node.Status.Phase = corev1.NodeRunning
	node.Status.Capacity, node.Status.Allocatable = resources, resources
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: hostAddress}}
	node.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady",
		Message: "containers are run as local processes", LastHeartbeatTime: now, LastTransitionTime: now,
	}}
}

// apiEnvironment gives the variables by which in-cluster clients find the API server. No ClusterIP is routed here, so
// they name the server's real address.
func apiEnvironment(config *rest.Config) (map[string]string, error) {
	server, err := url.Parse(config.Host)
	if err != nil {
		return nil, fmt.Errorf("address of the API server %q: %w", config.Host, err)
	}
	return map[string]string{
		"KUBERNETES_SERVICE_HOST":       server.Hostname(),
		"KUBERNETES_SERVICE_PORT":       server.Port(),
		"KUBERNETES_SERVICE_PORT_HTTPS": server.Port(),
	}, nil
}
