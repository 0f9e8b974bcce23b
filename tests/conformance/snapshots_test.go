// Runs containerd's own snapshotter conformance suite against a snapshotter on a unix socket (PACELINE_ADDRESS): straight
// through the proxy client, and below containerd's metadata layer, as containerd uses it.
package conformance

import (
	"context"
	"path/filepath"
	"testing"

	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/metadata"
	"github.com/containerd/containerd/snapshots"
	"github.com/containerd/containerd/snapshots/proxy"
	"github.com/containerd/containerd/snapshots/testsuite"
	bolt "go.etcd.io/bbolt"
)

func remoteSnapshotter(ctx context.Context, root string) (snapshots.Snapshotter, func() error, error) {
	connection, err := dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	return proxy.NewSnapshotter(snapshotsapi.NewSnapshotsClient(connection), "paceline"), connection.Close, nil
}

// The suite's keys hold the name of a test's own folder: one server and one namespace do for all its tests.
func snapshotterBelowMetadata(ctx context.Context, root string) (snapshots.Snapshotter, func() error, error) {
	snapshotter, closer, err := remoteSnapshotter(ctx, root)
	if err != nil {
		return nil, nil, err
	}
	file, err := bolt.Open(filepath.Join(root, "meta.db"), 0600, nil)
	if err != nil {
		return nil, nil, err
	}
	db := metadata.NewDB(file, nil, map[string]snapshots.Snapshotter{"paceline": snapshotter})
	return db.Snapshotter("paceline"), func() error {
		file.Close()
		return closer()
	}, nil
}

func TestSnapshotsProxy(t *testing.T) {
	testsuite.SnapshotterSuite(t, "proxy", remoteSnapshotter)
}

func TestSnapshotsMetadata(t *testing.T) {
	testsuite.SnapshotterSuite(t, "metadata", snapshotterBelowMetadata)
}
