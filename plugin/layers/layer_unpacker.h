// Unpacks the layers of an image that is pulled while their bytes arrive, if whoever pulls it takes layers
// (ExpectedImages), and gives them to the snapshotter when containerd asks for them; meanwhile it holds containerd's
// read of the image's config (HeldReads). Each layer is unpacked on its own, as many at a time as there are cores, not
// counting those that wait for bytes; what it leaves open is taken from the layers below once they are there. On offer
// is only what has the right digest and the right diffID. What a prefetch wanted unpacked is kept until somebody asks
// (KeptLayers). Whatever goes wrong, containerd unpacks the layer itself: there is no answer then.
//
// Thread rule: any thread; no call waits. Borrows its services. Nothing may announce plans or land flights any more
// when it is destroyed.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/worker_pool.h"
#include "plugin/content/read_gate.h"
#include "plugin/layers/awaited_unpack.h"
#include "plugin/layers/expected_images.h"
#include "plugin/layers/held_reads.h"
#include "plugin/layers/job_table.h"
#include "plugin/layers/kept_layers.h"
#include "plugin/layers/layer_folders.h"
#include "plugin/layers/layer_job.h"
#include "plugin/layers/layer_maker.h"
#include "plugin/layers/lower_layer.h"
#include "plugin/layers/ready_layers.h"
#include "plugin/pull/flight_table.h"
#include "plugin/pull/plan_listener.h"
#include "plugin/records/sink.h"
#include "plugin/snapshots/layer_provider.h"
#include "plugin/snapshots/snapshotter.h"
#include "plugin/store/store.h"

namespace paceline::layers {

struct UnpackerServices {
  store::Store& store;
  pull::FlightTable& flights;
  snapshots::Snapshotter& snapshotter;
  LayerFolders& folders;
  KeptLayers& kept;
  const Clock& clock;
  records::Sink* records = nullptr;  ///< Told how long each layer took; may be null.
};

struct UnpackerOptions {
  unsigned cores = 2;          ///< Threads that work at a time.
  bool ahead = true;           ///< Also of what containerd pulls, not only of prefetches.
  bool discard_blobs = false;  ///< Once containerd has taken the files.
};

class LayerUnpacker final : public pull::PlanListener,
                            public snapshots::LayerProvider,
                            public content::ReadGate,
                            public ReadyLayers {
 public:
  LayerUnpacker(const UnpackerServices& services, const UnpackerOptions& options);
  ~LayerUnpacker() override;
  LayerUnpacker(const LayerUnpacker&) = delete;
  LayerUnpacker& operator=(const LayerUnpacker&) = delete;

  void planned(const Digest& digest, const oci::Manifest& manifest) override;
  std::shared_ptr<const pull::UnpackProgress> unpack(const oci::Manifest& manifest, Unpacked done) override;
  std::set<Digest> unneeded(const oci::Manifest& manifest) override;
  void request(const std::string& chain_id, TimePoint deadline, Answer answer) override;
  bool hold(const Digest& blob, const std::string& reader, std::function<void()> go) override;
  std::optional<ReadyLayer> take(const Digest& blob, const std::vector<int>& lowers, int upper) override;
  /// Answers who waits, gives up what is under way, and takes nothing more.
  void stop();

 private:
  using Job = JobTable::Job;
  struct Request {
    std::string chain_id;
    TimePoint deadline;
    Answer answer;
    Job on;  ///< A differ's: he has named the folders below that layer. Else null.
  };
  struct Verdict {
    Answer answer;
    std::optional<snapshots::UnpackedLayer> layer;
  };

  /// Who wants an image's layers.
  struct Wish {
    std::shared_ptr<AwaitedUnpack> prefetch;  ///< Null: a pull.
    /// One after the other, bottom first, and not all before he goes on.
    bool in_turn = false;
  };

  /// A pull begins to want an expected image. Under the mutex; plan_soon() is due.
  void note_plan(const ExpectedImages::Image& image);
  void plan_soon(const oci::Manifest& manifest, const Wish& wish);
  void plan(const oci::Manifest& manifest, const Wish& wish);
  void plan_is_over();
  /// Somebody asks for a layer that nobody unpacks: perhaps it is one of theirs.
  void look_for(const std::string& chain_id, const std::vector<oci::Manifest>& images);
  /// For a prefetch. true: it is on offer already, and has yet to be moved to the kept ones.
  static bool want_kept(LayerJob& job);
  void work(const Job& job);
  void finish_what_can_be();
  Status finish(LayerJob& job, const std::vector<LowerLayer>& lowers);
  void resolve(const Job& job, const Status& outcome);
  /// Layers of images under way to which the job belongs: half an image is of little use.
  std::set<Digest> prefetched_with(const LayerJob& job);

  void ask(Request request);
  /// Tells everybody who waits for what has come true.
  void answer_all();
  [[nodiscard]] std::vector<Verdict> judge_requests();
  /// Empty: the request goes on waiting.
  std::optional<Verdict> judge(Request& request);
  [[nodiscard]] Verdict give(Request& request, LayerJob& job);
  std::optional<snapshots::UnpackedLayer> take_kept(const std::string& chain_id);
  void keep_time(const std::stop_token& stop);
  void drop_expired();

  const UnpackerServices services_;
  const UnpackerOptions options_;
  std::stop_source stop_;
  LayerMaker maker_;

  std::mutex mutex_;  // Guards what follows, and the state of every job.
  std::condition_variable_any time_;
  JobTable jobs_;
  std::vector<Request> requests_;
  bool new_request_ = false;         // Its deadline may be the next.
  std::vector<pull::WaitId> waits_;  // For configs.
  unsigned plans_under_way_ = 0;     // Or looked for.
  ExpectedImages expected_;
  bool clients_apply_ = false;  ///< Clients that unpack by themselves do it with the differ, which takes layers too.
  std::vector<std::shared_ptr<AwaitedUnpack>> prefetches_;  // Under way.
  HeldReads held_;

  std::mutex done_mutex_;  // Around calls to whoever waits for a prefetch: none after stop().

  // Last, so that their threads end before what they use; each may post to the ones before it.
  WorkerPool remover_{"layer-rm", 1};
  WorkerPool workers_;
  WorkerPool background_;
  WorkerPool planner_{"layer-plan", 1};
  std::jthread timer_;
};

}  // namespace paceline::layers
