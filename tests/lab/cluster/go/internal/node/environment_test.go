package node

import (
	"context"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func newResolver() *resolver {
	meta := metav1.ObjectMeta{Namespace: "shop", Name: "connection"}
	return &resolver{
		client: fake.NewClientset(
			&corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{"host": []byte("db.example"), "port": []byte("5432")}},
			&corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"mode": "fast"}}),
		node: "local",
		api:  map[string]string{"KUBERNETES_SERVICE_PORT": "6443"},
	}
}

func fromSecret(name, key string, optional bool) *corev1.EnvVarSource {
	return &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: key, Optional: &optional,
	}}
}

func TestEnvironment(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "writer-1", Labels: map[string]string{"tier": "web"}}}
	pod.Status.PodIP = "127.22.0.9"
	reference := corev1.LocalObjectReference{Name: "connection"}
	field := func(path string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}
	}
	container := &corev1.Container{
		EnvFrom: []corev1.EnvFromSource{
			{Prefix: "DB_", SecretRef: &corev1.SecretEnvSource{LocalObjectReference: reference}},
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: reference}},
		},
		Env: []corev1.EnvVar{
			{Name: "HOST", ValueFrom: fromSecret("connection", "host", false)},
			{Name: "URL", Value: "postgres://$(HOST):$(DB_port)/$(UNKNOWN)"},
			{Name: "mode", Value: "slow"},
			{Name: "ADDRESS", ValueFrom: field("status.podIP")},
			{Name: "TIER", ValueFrom: field("metadata.labels['tier']")},
			{Name: "ABSENT", ValueFrom: fromSecret("connection", "nothing", true)},
			{Name: "NEITHER", ValueFrom: fromSecret("nothing", "host", true)},
		},
	}
	got, err := newResolver().environment(context.Background(), pod, container)
	if err != nil {
		t.Fatal(err)
	}
	delete(got, "PATH")
	delete(got, "HOME")
	want := variables{
		"KUBERNETES_SERVICE_PORT": "6443", "HOSTNAME": "writer-1",
		"DB_host": "db.example", "DB_port": "5432", "mode": "slow", "HOST": "db.example",
		"URL": "postgres://db.example:5432/$(UNKNOWN)", "ADDRESS": "127.22.0.9", "TIER": "web",
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v\nwant %v", got, want)
	}
}

func TestEnvironmentIncomplete(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}
	for reason, source := range map[string]*corev1.EnvVarSource{
		"Secret shop/nothing":               fromSecret("nothing", "host", false),
		"Secret connection has no key user": fromSecret("connection", "user", false),
		"only secretKeyRef":                 {ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.cpu"}},
	} {
		container := &corev1.Container{Env: []corev1.EnvVar{{Name: "X", ValueFrom: source}}}
		_, err := newResolver().environment(context.Background(), pod, container)
		if err == nil || !strings.Contains(err.Error(), reason) || !strings.Contains(err.Error(), "variable X") {
			t.Errorf("%v, want one that names X and %q", err, reason)
		}
	}
}

func TestExpand(t *testing.T) {
	got := expand([]string{"sh", "$(HOST)", "$$(HOST)", "$HOST"}, variables{"HOST": "db"})
	if strings.Join(got, " ") != "sh db $(HOST) $HOST" {
		t.Errorf("%q", got)
	}
}
