#include "plugin/records/recorder.h"

#include <pthread.h>

#include "plugin/base/log.h"

namespace paceline::records {
namespace {

// Of some kilobytes each; a node that ends more pulls than that within one disk write is not cold-starting containers.
constexpr std::size_t kQueue = 1024;

std::string summary(const ColdStart& record) {
  std::string out = fmt::format(
      "cold_start pull_id={} image={} registry={} policy={} source={} state={} pull_ms={:.1f} cold_start_ms={} "
      "total_bytes={} fetched_bytes={} retries={} lower_bound_ms={:.1f} ratio={:.2f}",
      record.pull_id, record.image, record.registry, record.policy, record.source, record.state, record.pull_ms,
      record.cold_start_ms ? fmt::format("{:.1f}", *record.cold_start_ms) : "-", record.total_bytes,
      record.fetched_bytes, record.retries, record.lower_bound_ms, record.ratio);
  for (const Phase& phase : record.phases)
    out += fmt::format(" {}_ms={:.1f}", phase.name, phase.end_ms - phase.start_ms);
  return out;
}

}  // namespace

Recorder::Recorder(RecordStore* store, std::unique_ptr<RecordFile> file, const Clock& clock)
    : store_(store), file_(std::move(file)), clock_(clock), thread_([this] { run(); }) {
  ::pthread_setname_np(thread_.native_handle(), "pl-records");
}

Recorder::~Recorder() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  thread_.join();
}

void Recorder::post(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (tasks_.size() >= kQueue) {
    ++dropped_;
    return;
  }
  tasks_.push_back(std::move(task));
  wake_.notify_one();
}

void Recorder::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    const auto task = std::move(tasks_.front());
    tasks_.pop_front();
    working_ = true;
    lock.unlock();
    task();
    if (const std::uint64_t lost = dropped_; lost != said_dropped_) {
      spdlog::warn("records: the disk is too slow for them, {} were dropped so far", lost);
      said_dropped_ = lost;
    }
    lock.lock();
    working_ = false;
    if (tasks_.empty()) idle_.notify_all();
  }
}

void Recorder::flush() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return tasks_.empty() && !working_; });
}

void Recorder::pull_ended(EndedPull pull) {
  post([this, pull = std::move(pull)] { publish(open_.pull_ended(pull)); });
}

void Recorder::layer_unpacked(const UnpackedLayer& layer) {
  post([this, layer] {
    if (const auto* record = open_.layer_unpacked(layer)) keep(*record);
    for (Listener* listener : listeners_) listener->layer_unpacked(layer.end - layer.start);
  });
}

void Recorder::container_created(const std::string& containerd_namespace, const std::string& id,
                                 const std::string& image, WallTime when) {
  post([this, containerd_namespace, id, image, when] {
    open_.container_created(containerd_namespace, id, image, when);
  });
}

void Recorder::task_started(const std::string& containerd_namespace, const std::string& id, WallTime when) {
  post([this, containerd_namespace, id, when] {
    if (const auto* record = open_.task_started(containerd_namespace, id, when)) publish(*record);
  });
}

void Recorder::publish(const ColdStart& record) {
  spdlog::info("{}", summary(record));
  if (file_ != nullptr) {
    if (const auto written = file_->append(to_json(record)); !written) spdlog::warn("{}", written.error().message);
  }
  keep(record);
  for (Listener* listener : listeners_) listener->record(record);
}

void Recorder::keep(const ColdStart& record) {
  if (store_ == nullptr) return;
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.wall().time_since_epoch()).count();
  if (const auto kept = store_->put(record, now); !kept) spdlog::warn("records: {}", kept.error().message);
}

}  // namespace paceline::records
