package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubernetes/pkg/fieldpath"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"
)

// resolver turns a container's env and envFrom into variables. Secrets and ConfigMaps are read from the API server at
// each start of a container: one started after a Secret was rewritten never sees the old value.
type resolver struct {
	client kubernetes.Interface
	node   string
	api    map[string]string // KUBERNETES_SERVICE_*
}

type variables map[string]string

func (v variables) list() []string {
	list := make([]string, 0, len(v))
	for name, value := range v {
		list = append(list, name+"="+value)
	}
	return list
}

// expand replaces $(NAME) in command and args.
func expand(argv []string, v variables) []string {
	mapping := expansion.MappingFuncFor(v)
	expanded := make([]string, len(argv))
	for i, argument := range argv {
		expanded[i] = expansion.Expand(argument, mapping)
	}
	return expanded
}

func (r *resolver) environment(ctx context.Context, object *corev1.Pod, c *corev1.Container) (variables, error) {
	result := variables{"PATH": os.Getenv("PATH"), "HOME": os.Getenv("HOME"), "HOSTNAME": object.Name}
	for name, value := range r.api {
		result[name] = value
	}
	for _, source := range c.EnvFrom {
		data, err := r.source(ctx, object.Namespace, source)
		if err != nil {
			return nil, err
		}
		for name, value := range data {
			result[source.Prefix+name] = value
		}
	}
	mapping := expansion.MappingFuncFor(result)
	for _, variable := range c.Env {
		value, present := expansion.Expand(variable.Value, mapping), true
		if variable.ValueFrom != nil {
			var err error
			if value, present, err = r.value(ctx, object, variable.ValueFrom); err != nil {
				return nil, fmt.Errorf("variable %s: %w", variable.Name, err)
			}
		}
		if present {
			result[variable.Name] = value
		}
	}
	return result, nil
}

func (r *resolver) source(ctx context.Context, namespace string, s corev1.EnvFromSource) (map[string]string, error) {
	switch {
	case s.SecretRef != nil:
		return r.secret(ctx, namespace, s.SecretRef.Name, isTrue(s.SecretRef.Optional))
	case s.ConfigMapRef != nil:
		return r.configMap(ctx, namespace, s.ConfigMapRef.Name, isTrue(s.ConfigMapRef.Optional))
	}
	return nil, errors.New("envFrom names neither a Secret nor a ConfigMap")
}

func (r *resolver) value(ctx context.Context, object *corev1.Pod, s *corev1.EnvVarSource) (string, bool, error) {
	switch {
	case s.SecretKeyRef != nil:
		optional := isTrue(s.SecretKeyRef.Optional)
		data, err := r.secret(ctx, object.Namespace, s.SecretKeyRef.Name, optional)
		return pick(data, err, "Secret", s.SecretKeyRef.Name, s.SecretKeyRef.Key, optional)
	case s.ConfigMapKeyRef != nil:
		optional := isTrue(s.ConfigMapKeyRef.Optional)
		data, err := r.configMap(ctx, object.Namespace, s.ConfigMapKeyRef.Name, optional)
		return pick(data, err, "ConfigMap", s.ConfigMapKeyRef.Name, s.ConfigMapKeyRef.Key, optional)
	case s.FieldRef != nil:
		value, err := r.field(object, s.FieldRef.FieldPath)
		return value, true, err
	}
	return "", false, errors.New("only secretKeyRef, configMapKeyRef and fieldRef are supported by this node")
}

func (r *resolver) secret(ctx context.Context, namespace, name string, optional bool) (map[string]string, error) {
	secret, err := r.client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && optional {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("Secret %s/%s: %w", namespace, name, err)
	}
	data := map[string]string{}
	for key, value := range secret.Data {
		data[key] = string(value)
	}
	return data, nil
}

func (r *resolver) configMap(ctx context.Context, namespace, name string, optional bool) (map[string]string, error) {
	configMap, err := r.client.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && optional {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ConfigMap %s/%s: %w", namespace, name, err)
	}
	return configMap.Data, nil
}

func pick(data map[string]string, err error, kind, name, key string, optional bool) (string, bool, error) {
	if err != nil {
		return "", false, err
	}
	value, ok := data[key]
	if !ok && !optional {
		return "", false, fmt.Errorf("%s %s has no key %s", kind, name, key)
	}
	return value, ok, nil
}

// field resolves the downward API's fields (https://kubernetes.io/docs/concepts/workloads/pods/downward-api/).
func (r *resolver) field(object *corev1.Pod, path string) (string, error) {
	switch path {
	case "spec.nodeName":
		return r.node, nil
	case "spec.serviceAccountName":
		return object.Spec.ServiceAccountName, nil
	case "status.podIP", "status.podIPs":
		return object.Status.PodIP, nil
	case "status.hostIP", "status.hostIPs":
		return hostAddress, nil
	}
	return fieldpath.ExtractFieldPathAsString(object, path)
}

// lookup finds the program on the container's own PATH.
func lookup(program string, env []string) (string, error) {
	if strings.Contains(program, "/") {
		return program, nil
	}
	for _, variable := range env {
		folders, ok := strings.CutPrefix(variable, "PATH=")
		if !ok {
			continue
		}
		for _, folder := range filepath.SplitList(folders) {
			path := filepath.Join(folder, program)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%s: %w", program, exec.ErrNotFound)
}

func isTrue(value *bool) bool { return value != nil && *value }
