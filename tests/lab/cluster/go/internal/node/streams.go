package node

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/virtual-kubelet/virtual-kubelet/errdefs"
	"github.com/virtual-kubelet/virtual-kubelet/node/api"
	statsv1alpha1 "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
	utilexec "k8s.io/utils/exec"
)

var errUnsupported = errors.New("not supported by a node whose containers are local processes")

// GetContainerLogs serves `kubectl logs`.
func (p *provider) GetContainerLogs(
	ctx context.Context, namespace, podName, containerName string, o api.ContainerLogOpts,
) (io.ReadCloser, error) {
	c, err := p.container(namespace, podName, containerName)
	if err != nil {
		return nil, err
	}
	if o.Timestamps || o.SinceSeconds > 0 || !o.SinceTime.IsZero() {
		return nil, errdefs.InvalidInput("--timestamps and --since are " + errUnsupported.Error())
	}
	c.pod.mu.Lock()
	run := c.status.RestartCount
	c.pod.mu.Unlock()
	if o.Previous {
		run--
	}
	file, err := os.Open(c.logPath(run))
	if err != nil {
		return nil, errdefs.AsNotFound(err)
	}
	if o.Tail > 0 {
		if err := seekTail(file, o.Tail); err != nil {
			_ = file.Close()
			return nil, err
		}
	}
	var reader io.Reader = file
	if o.Follow {
		reader = &follower{ctx: ctx, file: file, ended: c.pod.done}
	}
	if o.LimitBytes > 0 {
		reader = io.LimitReader(reader, int64(o.LimitBytes))
	}
	return struct {
		io.Reader
		io.Closer
	}{reader, file}, nil
}

// seekTail moves to the start of the last lines.
func seekTail(file *os.File, lines int) error {
	var starts []int64
	offset := int64(0)
	reader := bufio.NewReader(file)
	for {
		line, err := reader.ReadBytes('\n')
		if len(line) > 0 {
			starts = append(starts, offset)
			offset += int64(len(line))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	start := offset
	if len(starts) > 0 {
		start = starts[max(len(starts)-lines, 0)]
	}
	_, err := file.Seek(start, io.SeekStart)
	return err
}

// follower reads a growing file until its writers have ended or the client is gone.
type follower struct {
	ctx   context.Context
	file  *os.File
	ended <-chan struct{}
}

func (f *follower) Read(buffer []byte) (int, error) {
	for {
		// Looked at before reading: what was written before the end is still read.
		last := closed(f.ended) || f.ctx.Err() != nil
		n, err := f.file.Read(buffer)
		if n > 0 || err != nil && !errors.Is(err, io.EOF) || last {
			return n, err
		}
		pause(f.ctx, 50*time.Millisecond)
	}
}

func closed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}

// RunInContainer serves `kubectl exec`.
func (p *provider) RunInContainer(
	ctx context.Context, namespace, podName, containerName string, argv []string, attach api.AttachIO,
) error {
	c, err := p.container(namespace, podName, containerName)
	if err != nil {
		return err
	}
	cmd, err := c.command(ctx, argv)
	if err != nil {
		return err
	}
	// Assigned only when present: an interface around a nil stream is not nil.
	if in := attach.Stdin(); in != nil {
		cmd.Stdin = in
	}
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if out := attach.Stdout(); out != nil {
		defer out.Close()
		cmd.Stdout, cmd.Stderr = out, out
	}
	if out := attach.Stderr(); out != nil {
		defer out.Close()
		cmd.Stderr = out
	}
	err = cmd.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		// The type by which the exit code reaches the client.
		return &utilexec.ExitErrorWrapper{ExitError: ended}
	}
	return err
}

func (p *provider) container(namespace, podName, containerName string) (*container, error) {
	if found := p.find(namespace, podName); found != nil {
		if c := found.find(containerName); c != nil {
			return c, nil
		}
	}
	return nil, errdefs.NotFoundf("Pod %s/%s with container %s is not on this node", namespace, podName, containerName)
}

// AttachToContainer is refused: a container's output goes to a file.
func (p *provider) AttachToContainer(context.Context, string, string, string, api.AttachIO) error {
	return errUnsupported
}

// PortForward is refused: the Pod's address is reachable as it is.
func (p *provider) PortForward(context.Context, string, string, int32, io.ReadWriteCloser) error {
	return errUnsupported
}

// GetStatsSummary has nothing to say: resources are not metered.
func (p *provider) GetStatsSummary(context.Context) (*statsv1alpha1.Summary, error) {
	return &statsv1alpha1.Summary{}, nil
}

// GetMetricsResource has nothing to say: resources are not metered.
func (p *provider) GetMetricsResource(context.Context) ([]*dto.MetricFamily, error) { return nil, nil }
