// A fixed set of threads that run tasks in order of arrival. post() from any thread, never blocks.
// The destructor runs what is queued, then joins. Tasks must not throw.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace paceline {

class WorkerPool {
 public:
  /// `name` shows up in ps and gdb (15 characters at most are kept).
  WorkerPool(std::string name, unsigned threads);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void post(std::function<void()> task);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace paceline
