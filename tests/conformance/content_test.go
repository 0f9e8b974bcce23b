// Runs containerd's own content conformance suite against a content store on a unix socket (PACELINE_ADDRESS): straight
// through the proxy client, and below containerd's metadata layer with both content sharing policies, as containerd uses it.
package conformance

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	"github.com/containerd/containerd/content"
	"github.com/containerd/containerd/content/proxy"
	"github.com/containerd/containerd/content/testsuite"
	"github.com/containerd/containerd/metadata"
	"github.com/containerd/containerd/namespaces"
	bolt "go.etcd.io/bbolt"
	"google.golang.org/grpc"
)

func dial(ctx context.Context) (*grpc.ClientConn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return grpc.DialContext(ctx, os.Getenv("PACELINE_ADDRESS"), grpc.WithBlock(),
		grpc.WithInsecure(),
		grpc.WithContextDialer(func(ctx context.Context, path string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}))
}

func remote(ctx context.Context) (content.Store, func() error, error) {
	connection, err := dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	return proxy.NewContentStore(contentapi.NewContentClient(connection)), connection.Close, nil
}

func direct(ctx context.Context, root string) (context.Context, content.Store, func() error, error) {
	store, closer, err := remote(ctx)
	return ctx, store, closer, err
}

// The server lives as long as the run, each metadata database as long as one test: namespaces must not repeat.
var namespaceCount uint64

func belowMetadata(options ...metadata.DBOpt) testsuite.StoreInitFn {
	return func(ctx context.Context, root string) (context.Context, content.Store, func() error, error) {
		store, closer, err := remote(ctx)
		if err != nil {
			return nil, nil, nil, err
		}
		file, err := bolt.Open(filepath.Join(root, "meta.db"), 0600, nil)
		if err != nil {
			return nil, nil, nil, err
		}
		ctx = testsuite.SetContextWrapper(ctx, func(ctx context.Context) (context.Context, func(context.Context) error, error) {
			name := fmt.Sprintf("namespace-%d", atomic.AddUint64(&namespaceCount, 1))
			return namespaces.WithNamespace(ctx, name), func(context.Context) error { return nil }, nil
		})
		return ctx, metadata.NewDB(file, store, nil, options...).ContentStore(), func() error {
			file.Close()
			return closer()
		}, nil
	}
}

func TestContentProxy(t *testing.T) {
	testsuite.ContentSuite(t, "proxy", direct)
}

func TestContentMetadataShared(t *testing.T) {
	testsuite.ContentSuite(t, "shared", belowMetadata())
	testsuite.ContentCrossNSSharedSuite(t, "shared", belowMetadata())
}

func TestContentMetadataIsolated(t *testing.T) {
	testsuite.ContentSuite(t, "isolated", belowMetadata(metadata.WithPolicyIsolated))
	testsuite.ContentCrossNSIsolatedSuite(t, "isolated", belowMetadata(metadata.WithPolicyIsolated))
}
