package clients

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

func TestARunIsCreatedWaitedForAndDeleted(t *testing.T) {
	config, _ := follower(t)
	client := dynamicClient(t, config).Resource(runnables).Namespace("go-life")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	made, err := client.Create(ctx, runnable("go-life", "life-", "50ms", nil), metav1.CreateOptions{FieldManager: "go"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(made.GetName(), "life-") || made.GetName() == "life-" || made.GetUID() == "" {
		t.Fatalf("%+v", made)
	}
	ended := func(event watch.Event) (bool, error) {
		object, ok := event.Object.(*unstructured.Unstructured)
		return ok && object.GetUID() == made.GetUID() && phase(object) == "Succeeded", nil
	}
	if _, err := watchtools.Until(ctx, made.GetResourceVersion(), watcher{client}, ended); err != nil {
		t.Fatalf("it did not succeed: %v", err)
	}
	fresh, err := client.Get(ctx, made.GetName(), metav1.GetOptions{ResourceVersion: made.GetResourceVersion()})
	if err != nil || phase(fresh) != "Succeeded" {
		t.Fatalf("%v, %v", fresh, err)
	}
	policy := metav1.DeletePropagationForeground
	uid := fresh.GetUID()
	wrong := types.UID("00000000-0000-4000-8000-000000000000")
	err = client.Delete(ctx, made.GetName(), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &wrong}})
	if !apierrors.IsConflict(err) {
		t.Fatalf("another uid: %v", err)
	}
	options := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &policy}
	if err := client.Delete(ctx, made.GetName(), options); err != nil {
		t.Fatal(err)
	}
	gone := func(event watch.Event) (bool, error) {
		object, ok := event.Object.(*unstructured.Unstructured)
		return ok && event.Type == watch.Deleted && object.GetUID() == uid, nil
	}
	present := func(store cache.Store) (bool, error) { return len(store.List()) == 0, nil }
	whole := listWatch{client}
	if _, err := watchtools.UntilWithSync(ctx, whole, &unstructured.Unstructured{}, present, gone); err != nil {
		t.Fatalf("it did not go: %v", err)
	}
	if _, err := client.Get(ctx, made.GetName(), metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Fatalf("it is there still: %v", err)
	}
}

func TestEachRefusalIsTheErrorThatTheLibraryHasForIt(t *testing.T) {
	config, _ := follower(t)
	client := dynamicClient(t, config).Resource(runnables).Namespace("go-errors")
	ctx := context.Background()
	if _, err := client.Get(ctx, "nothing", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("missing: %v", err)
	}
	if err := client.Delete(ctx, "nothing", metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("delete of a missing one: %v", err)
	}
	made, err := client.Create(ctx, runnable("go-errors", "twice", "1h", map[string]any{"a": "1"}), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Create(ctx, runnable("go-errors", "twice", "2h", nil), metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("twice: %v", err)
	}
	_, err = client.Create(ctx, runnable("elsewhere", "lost", "1h", nil), metav1.CreateOptions{})
	if err == nil || !(apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)) {
		t.Errorf("another namespace: %v", err)
	}
	broken := runnable("go-errors", "broken", "1h", nil)
	unstructured.SetNestedField(broken.Object, "purple", "spec", "color")
	_, err = client.Create(ctx, broken, metav1.CreateOptions{})
	if !apierrors.IsInvalid(err) {
		t.Errorf("an unknown field: %v", err)
	} else if causes := err.(apierrors.APIStatus).Status().Details.Causes; len(causes) == 0 || causes[0].Field != "spec.color" {
		t.Errorf("causes: %+v", causes)
	}
	old := made.GetResourceVersion()
	patch := func(version, value string) error {
		document, _ := json.Marshal(map[string]any{"metadata": map[string]any{
			"resourceVersion": version, "labels": map[string]any{"a": value}}})
		_, err := client.Patch(ctx, "twice", types.MergePatchType, document, metav1.PatchOptions{})
		return err
	}
	until(t, "the run has come to rest", func() bool {
		object, err := client.Get(ctx, "twice", metav1.GetOptions{})
		return err == nil && phase(object) == "Running"
	})
	if err := patch(old, "2"); !apierrors.IsConflict(err) {
		t.Errorf("an old resourceVersion: %v", err)
	}
	spec := []byte(`{"spec":{"finishBy":"1h"}}`)
	if _, err := client.Patch(ctx, "twice", types.MergePatchType, spec, metav1.PatchOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("another spec: %v", err)
	}
	_, err = client.Patch(ctx, "twice", types.StrategicMergePatchType, []byte(`{"metadata":{"labels":{"a":"3"}}}`), metav1.PatchOptions{})
	if !apierrors.IsUnsupportedMediaType(err) {
		t.Errorf("a strategic patch: %v", err)
	}
	if _, err := client.Update(ctx, made, metav1.UpdateOptions{}); !apierrors.IsMethodNotSupported(err) && !apierrors.IsInvalid(err) && !apierrors.IsConflict(err) {
		t.Errorf("an update: %v", err)
	}
	if _, err := client.List(ctx, metav1.ListOptions{FieldSelector: "spec.color=red"}); !apierrors.IsBadRequest(err) {
		t.Errorf("a selector that is not served: %v", err)
	}
	// Without retries: the library repeats this one by itself, as our answer asks it to.
	plain := rest.CopyConfig(config)
	plain.NegotiatedSerializer, plain.GroupVersion = scheme.Codecs.WithoutConversion(), &metav1.SchemeGroupVersion
	raw, err := rest.UnversionedRESTClientFor(plain)
	if err != nil {
		t.Fatal(err)
	}
	future := raw.Get().AbsPath("/apis/tallyman.dev/v1/runnables").MaxRetries(0).
		Param("resourceVersion", "999999999").Param("resourceVersionMatch", "NotOlderThan").Param("timeout", "100ms")
	err = future.Do(ctx).Error()
	if seconds, ask := apierrors.SuggestsClientDelay(err); !apierrors.IsTimeout(err) || !ask || seconds == 0 {
		t.Errorf("a revision from the future: %v", err)
	} else if !apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) {
		t.Errorf("the cause of %+v", err)
	}
	if _, err := client.Watch(ctx, metav1.ListOptions{ResourceVersion: "1"}); err != nil && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		t.Errorf("a revision long past: %v", err)
	}
	_, err = dynamicClient(t, config).Resource(runnables.GroupVersion().WithResource("teapots")).List(ctx, metav1.ListOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("no such resource: %v", err)
	}
}
