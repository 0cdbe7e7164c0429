package clients

import (
	"context"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/restmapper"
)

func TestDiscoveryFindsEveryResourceInBothForms(t *testing.T) {
	config, _ := follower(t)
	for _, aggregated := range []bool{true, false} {
		client, err := discovery.NewDiscoveryClientForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		if !aggregated {
			client.UseLegacyDiscovery = true
		}
		_, lists, err := client.ServerGroupsAndResources()
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]metav1.APIResource{}
		for _, list := range lists {
			for _, resource := range list.APIResources {
				found[list.GroupVersion+"/"+resource.Name] = resource
			}
		}
		for name, namespaced := range map[string]bool{"runnables": true, "clusters": false, "replicas": false, "auditrecords": false} {
			resource, ok := found["tallyman.dev/v1/"+name]
			if !ok || resource.Namespaced != namespaced {
				t.Errorf("aggregated %v: %s is %+v in %v", aggregated, name, resource, found)
			}
		}
		version, err := client.ServerVersion()
		if err != nil || version.Major != "1" {
			t.Errorf("version %v, %v", version, err)
		}
	}
}

func TestAMapperKnowsKindsAndShortNames(t *testing.T) {
	config, _ := follower(t)
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	cached := memory.NewMemCacheClient(client)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(cached)
	mapping, err := mapper.RESTMapping(schema.GroupKind{Group: "tallyman.dev", Kind: "Runnable"}, "v1")
	if err != nil || mapping.Resource != runnables || mapping.Scope.Name() != "namespace" {
		t.Fatalf("%+v, %v", mapping, err)
	}
	short := restmapper.NewShortcutExpander(mapper, cached, nil)
	kind, err := short.KindFor(schema.GroupVersionResource{Resource: "run"})
	if err != nil || kind.Kind != "Runnable" {
		t.Fatalf("%v, %v", kind, err)
	}
	if _, err := mapper.RESTMapping(schema.GroupKind{Group: "tallyman.dev", Kind: "Teapot"}, "v1"); err == nil {
		t.Fatal("there is no such kind")
	}
}

// A client that wants nothing but metadata gets at least that.
func TestAMetadataClientReads(t *testing.T) {
	config, _ := follower(t)
	client, err := metadata.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	made, err := dynamicClient(t, config).Resource(runnables).Namespace("meta").
		Create(ctx, runnable("meta", "meta-", "10ms", map[string]any{"a": "b"}), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	one, err := client.Resource(runnables).Namespace("meta").Get(ctx, made.GetName(), metav1.GetOptions{})
	if err != nil || one.UID != made.GetUID() || one.Labels["a"] != "b" {
		t.Fatalf("%+v, %v", one, err)
	}
	list, err := client.Resource(runnables).Namespace("meta").List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 || list.Items[0].UID != made.GetUID() {
		t.Fatalf("%+v, %v", list, err)
	}
	if _, err := client.Resource(runnables).Namespace("meta").Get(ctx, "nothing", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Fatalf("%v", err)
	}
}
