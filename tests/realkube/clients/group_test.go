// Package clients checks that programs written with Kubernetes' own client library work against Tallyman.
//
// The group is one of `tallyman dev`, named by DEV_JSON; without it nothing is checked. tests/realkube/client_go.rs
// starts one and runs all of this.
package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// How long anything that a test waits for may take on a busy machine.
const patience = 120 * time.Second

var (
	runnables = schema.GroupVersionResource{Group: "tallyman.dev", Version: "v1", Resource: "runnables"}
	clusters  = schema.GroupVersionResource{Group: "tallyman.dev", Version: "v1", Resource: "clusters"}
)

type replica struct {
	ID  string `json:"id"`
	URL string `json:"url"`
	PID int    `json:"pid"`
}

// replicas gives what dev says of them now: a replica that was killed comes back with another process id.
func replicas(t *testing.T) []replica {
	t.Helper()
	path := os.Getenv("DEV_JSON")
	if path == "" {
		t.Skip("DEV_JSON names no group")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var dev struct {
		Replicas []replica `json:"replicas"`
	}
	if err := json.Unmarshal(text, &dev); err != nil {
		t.Fatal(err)
	}
	return dev.Replicas
}

// leader and followers, as somebody who can be asked sees them.
func roles(t *testing.T) (leader replica, followers []replica) {
	t.Helper()
	until(t, "somebody leads", func() bool {
		all := replicas(t)
		for _, asked := range all {
			response, err := http.Get(asked.URL + "/apis/tallyman.dev/v1/replicas?consistency=stale")
			if err != nil {
				continue
			}
			response.Body.Close()
			leader, followers = replica{}, nil
			for _, one := range all {
				if one.ID == response.Header.Get("Tallyman-Leader") {
					leader = one
				} else {
					followers = append(followers, one)
				}
			}
			if leader.ID != "" {
				return true
			}
		}
		return false
	})
	return leader, followers
}

// kill ends a replica's process as a crash does; one that is just being started again is waited for.
func kill(t *testing.T, name string) {
	t.Helper()
	until(t, name+" serves, to be killed", func() bool {
		for _, one := range replicas(t) {
			if one.ID != name {
				continue
			}
			response, err := http.Get(one.URL + "/livez")
			if err != nil {
				return false
			}
			response.Body.Close()
			return syscall.Kill(one.PID, syscall.SIGKILL) == nil
		}
		return false
	})
}

func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("waited %v in vain until %s", patience, what)
}

// follower is a client of one replica that does not lead.
func follower(t *testing.T) (*rest.Config, replica) {
	t.Helper()
	_, followers := roles(t)
	return &rest.Config{Host: followers[0].URL, QPS: -1}, followers[0]
}

// service is a client of whichever replica accepts a connection, as behind a Service or a load balancer.
func service(t *testing.T) *rest.Config {
	t.Helper()
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		var last error
		for _, one := range replicas(t) {
			address, err := url.Parse(one.URL)
			if err != nil {
				return nil, err
			}
			connection, err := (&net.Dialer{}).DialContext(ctx, network, address.Host)
			if err == nil {
				return connection, nil
			}
			last = err
		}
		return nil, last
	}
	return &rest.Config{Host: "http://localhost", QPS: -1, Dial: dial}
}

func dynamicClient(t *testing.T, config *rest.Config) dynamic.Interface {
	t.Helper()
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// runnable is a Job that runs for a while on a simulated cluster.
func runnable(namespace, name, runFor string, labels map[string]any) *unstructured.Unstructured {
	metadata := map[string]any{"namespace": namespace, "labels": labels}
	if name[len(name)-1] == '-' {
		metadata["generateName"] = name
	} else {
		metadata["name"] = name
	}
	job := map[string]any{
		"apiVersion": "batch/v1", "kind": "Job",
		"metadata": map[string]any{
			"generateName": "work-", "labels": labels,
			"annotations": map[string]any{"simulate.tallyman.dev/run-for": runFor},
		},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
			"restartPolicy": "Never",
			"containers":    []any{map[string]any{"name": "main", "image": "busybox"}},
		}}},
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": metadata,
		"spec": map[string]any{"manifests": []any{job}},
	}}
}

func phase(object *unstructured.Unstructured) string {
	text, _, _ := unstructured.NestedString(object.Object, "status", "phase")
	return text
}

func names(prefix string, count int) []string {
	all := make([]string, count)
	for i := range all {
		all[i] = fmt.Sprintf("%s%02d", prefix, i)
	}
	return all
}
