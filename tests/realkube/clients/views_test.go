package clients

import (
	"context"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

func typed(t *testing.T, config *rest.Config, path string) *kubernetes.Clientset {
	t.Helper()
	view := rest.CopyConfig(config)
	view.Host += path
	client, err := kubernetes.NewForConfig(view)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// A program that knows nothing of Tallyman follows the Jobs of a cluster through it.
func TestAnInformerOfJobsFollowsTheViewOfACluster(t *testing.T) {
	config, _ := follower(t)
	made := runnable("go-views", "seen-", "300ms", map[string]any{"view": "yes"})
	for _, cluster := range []string{"east", "west"} {
		made.Object["spec"].(map[string]any)["placement"] = map[string]any{"clusters": []any{cluster}}
		_, err := dynamicClient(t, config).Resource(runnables).Namespace("go-views").
			Create(context.Background(), made, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	factory := informers.NewSharedInformerFactoryWithOptions(
		typed(t, config, "/k8s/clusters/east"), 0, informers.WithNamespace("go-views"))
	informer := factory.Batch().V1().Jobs().Informer()
	go informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		t.Fatal("it never knew everything")
	}
	until(t, "it holds the one Job, complete", func() bool {
		held := informer.GetStore().List()
		if len(held) != 1 {
			return false
		}
		job := held[0].(*batchv1.Job)
		return job.Annotations["tallyman.dev/cluster"] == "east" && job.Status.Succeeded == 1 &&
			len(job.Status.Conditions) == 1 && job.Status.Conditions[0].Type == batchv1.JobComplete
	})
	jobs := typed(t, config, "/k8s/all").BatchV1().Jobs("go-views")
	all, err := jobs.List(ctx, metav1.ListOptions{LabelSelector: "view=yes"})
	if err != nil || len(all.Items) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	if _, err := jobs.Watch(ctx, metav1.ListOptions{}); !apierrors.IsMethodNotSupported(err) {
		t.Fatalf("a watch over all: %v", err)
	}
	if err := jobs.Delete(ctx, all.Items[0].Name, metav1.DeleteOptions{}); !apierrors.IsMethodNotSupported(err) {
		t.Fatalf("a delete: %v", err)
	}
}
