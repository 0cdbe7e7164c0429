package clients

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"
	watchtools "k8s.io/client-go/tools/watch"
)

// watcher and listWatch are what the helpers of the library ask for.
type watcher struct{ client dynamic.ResourceInterface }

func (w watcher) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return w.client.Watch(context.Background(), options)
}

func (w watcher) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return w.client.Watch(ctx, options)
}

type listWatch struct{ client dynamic.ResourceInterface }

func (l listWatch) List(options metav1.ListOptions) (runtime.Object, error) {
	return l.client.List(context.Background(), options)
}

func (l listWatch) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return l.client.Watch(context.Background(), options)
}

// told is what a watch says, as one line.
func told(event watch.Event) string {
	object := event.Object.(*unstructured.Unstructured)
	return fmt.Sprintf("%s %s %s %s", event.Type, object.GetUID(), object.GetName(), object.GetResourceVersion())
}

// create makes a run whatever becomes of the leader meanwhile: what may or may not have been done is looked up.
func create(t *testing.T, client dynamic.ResourceInterface, object *unstructured.Unstructured) {
	t.Helper()
	until(t, object.GetName()+" is taken", func() bool {
		_, err := client.Create(context.Background(), object, metav1.CreateOptions{})
		return err == nil || apierrors.IsAlreadyExists(err)
	})
}

func untilPhases(t *testing.T, client dynamic.ResourceInterface, count int, wanted string) {
	t.Helper()
	until(t, fmt.Sprintf("%d runs are %s", count, wanted), func() bool {
		list, err := client.List(context.Background(), metav1.ListOptions{FieldSelector: "status.phase=" + wanted})
		return err == nil && len(list.Items) == count
	})
}

func TestAPagedListIsOfOneRevision(t *testing.T) {
	config, _ := follower(t)
	client := dynamicClient(t, config).Resource(runnables).Namespace("go-pages")
	for _, name := range names("page-", 25) {
		create(t, client, runnable("go-pages", name, "1h", nil))
	}
	var seen []string
	versions := map[string]bool{}
	pages := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		list, err := client.List(ctx, options)
		if err == nil {
			versions[list.GetResourceVersion()] = true
		}
		return list, err
	})
	pages.PageSize = 7
	err := pages.EachListItem(context.Background(), metav1.ListOptions{}, func(object runtime.Object) error {
		seen = append(seen, object.(*unstructured.Unstructured).GetName())
		if len(seen) == 3 {
			create(t, client, runnable("go-pages", "page-later", "1h", nil))
		}
		return nil
	})
	slices.Sort(seen)
	if err != nil || !slices.Equal(seen, names("page-", 25)) || len(versions) != 1 {
		t.Fatalf("%v: %v at %v", err, seen, versions)
	}
}

// What a watch tells that was torn and resumed is what one tells that was not: nothing is lost, nothing twice.
func aRetriedWatchTellsAll(t *testing.T, namespace string, client dynamic.ResourceInterface, strike func()) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	list, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	from := list.GetResourceVersion()
	retried, err := watchtools.NewRetryWatcherWithContext(ctx, from, watcher{client})
	if err != nil {
		t.Fatal(err)
	}
	defer retried.Stop()
	var lock sync.Mutex
	var lines []string
	ends := 0
	go func() {
		for event := range retried.ResultChan() {
			lock.Lock()
			if event.Type == watch.Error {
				lines = append(lines, fmt.Sprintf("ERROR %v", event.Object))
			} else {
				lines = append(lines, told(event))
				if phase(event.Object.(*unstructured.Unstructured)) == "Succeeded" {
					ends++
				}
			}
			lock.Unlock()
		}
	}()
	for i, name := range names("run-", 12) {
		if i == 4 {
			strike()
		}
		create(t, client, runnable(namespace, name, "20ms", nil))
	}
	untilPhases(t, client, 12, "Succeeded")
	until(t, "the watch tells of every end", func() bool {
		lock.Lock()
		defer lock.Unlock()
		return ends >= 12
	})
	whole, err := client.Watch(ctx, metav1.ListOptions{ResourceVersion: from})
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Stop()
	var expected []string
	for len(expected) < len(lines) {
		select {
		case event := <-whole.ResultChan():
			expected = append(expected, told(event))
		case <-ctx.Done():
			t.Fatalf("the second watch told %d events, the first %d", len(expected), len(lines))
		}
	}
	lock.Lock()
	defer lock.Unlock()
	if !slices.Equal(lines[:len(expected)], expected) {
		t.Fatalf("told\n%v\ninstead of\n%v", lines, expected)
	}
}

func TestAWatchOnAFollowerResumesOverAKilledLeader(t *testing.T) {
	config, _ := follower(t)
	client := dynamicClient(t, config).Resource(runnables).Namespace("go-leader")
	aRetriedWatchTellsAll(t, "go-leader", client, func() {
		leader, _ := roles(t)
		kill(t, leader.ID)
	})
}

func TestAWatchGoesOnAtAnotherReplicaWhenItsOwnIsKilled(t *testing.T) {
	client := dynamicClient(t, service(t)).Resource(runnables).Namespace("go-own")
	aRetriedWatchTellsAll(t, "go-own", client, func() {
		// The first that accepts connections serves.
		kill(t, replicas(t)[0].ID)
	})
}

// An informer begins with a streaming list, is torn by the end of its replica, and in the end holds what is there.
func TestAnInformerHoldsWhatIsThereAfterItsReplicaWasKilled(t *testing.T) {
	client := dynamicClient(t, service(t))
	namespaced := client.Resource(runnables).Namespace("go-informer")
	for _, name := range names("early-", 10) {
		create(t, namespaced, runnable("go-informer", name, "20ms", nil))
	}
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, "go-informer", nil)
	informer := factory.ForResource(runnables).Informer()
	var lock sync.Mutex
	adds := map[string]int{}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(object any) {
		lock.Lock()
		defer lock.Unlock()
		adds[string(object.(*unstructured.Unstructured).GetUID())]++
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	go informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		t.Fatal("it never knew everything")
	}
	kill(t, replicas(t)[0].ID)
	for _, name := range names("late-", 10) {
		create(t, namespaced, runnable("go-informer", name, "20ms", nil))
	}
	untilPhases(t, namespaced, 20, "Succeeded")
	until(t, "it holds what a list gives", func() bool {
		list, err := namespaced.List(ctx, metav1.ListOptions{})
		if err != nil || len(informer.GetStore().List()) != len(list.Items) {
			return false
		}
		for _, item := range list.Items {
			held, there, _ := informer.GetStore().GetByKey("go-informer/" + item.GetName())
			if !there || held.(*unstructured.Unstructured).GetResourceVersion() != item.GetResourceVersion() {
				return false
			}
		}
		return true
	})
	lock.Lock()
	defer lock.Unlock()
	for uid, count := range adds {
		if count != 1 {
			t.Errorf("%s was added %d times", uid, count)
		}
	}
	if len(adds) != 20 {
		t.Errorf("%d runs were added", len(adds))
	}
}
