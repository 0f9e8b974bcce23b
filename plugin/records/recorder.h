// Takes what the daemon's parts tell, joins it into cold-start records, and keeps them: a log line, a JSON line, a row,
// and whoever listens. All of that on a thread of its own behind a bounded queue: a full queue drops and counts, so
// that no fetch ever waits for a disk that writes records.
//
// Thread rule: the Sink's functions, flush() and dropped() from any thread. listen() before the first of them. Borrows
// the store, which may be null, and the listeners. The destructor writes what is queued.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "plugin/records/listener.h"
#include "plugin/records/open_records.h"
#include "plugin/records/record_file.h"
#include "plugin/records/record_store.h"
#include "plugin/records/sink.h"

namespace paceline::records {

class Recorder final : public Sink {
 public:
  Recorder(RecordStore* store, std::unique_ptr<RecordFile> file, const Clock& clock);
  ~Recorder() override;
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  void listen(Listener& listener) { listeners_.push_back(&listener); }

  void pull_ended(EndedPull pull) override;
  void layer_unpacked(const UnpackedLayer& layer) override;
  void container_created(const std::string& containerd_namespace, const std::string& id, const std::string& image,
                         WallTime when) override;
  void task_started(const std::string& containerd_namespace, const std::string& id, WallTime when) override;

  /// Returns when all that was told before is written.
  void flush();
  /// What was told and is lost, because the queue was full.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  void post(std::function<void()> task);
  void run();
  void publish(const ColdStart& record);
  void keep(const ColdStart& record);

  RecordStore* const store_;
  const std::unique_ptr<RecordFile> file_;
  const Clock& clock_;
  std::vector<Listener*> listeners_;
  // On the thread.
  OpenRecords open_;
  std::uint64_t said_dropped_ = 0;

  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<std::function<void()>> tasks_;
  bool working_ = false;
  bool stopping_ = false;
  std::atomic<std::uint64_t> dropped_{0};
  std::thread thread_;
};

}  // namespace paceline::records
