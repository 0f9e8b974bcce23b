// Listens to containerd's events for containers that are made and tasks that start, and tells the records.
//
// It only reads, with a filter for these two topics, and always at once, since containerd queues without a bound for
// who does not. While containerd cannot be reached it tries again, ever more seldom, and says so once.
// Thread rule: owns a thread, on which the sink is called. Borrows the sink. The destructor ends both.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "plugin/records/sink.h"

namespace paceline::events {

class ContainerEvents {
 public:
  /// `socket`: containerd's, a path.
  ContainerEvents(std::string socket, records::Sink& sink);
  ~ContainerEvents();
  ContainerEvents(const ContainerEvents&) = delete;
  ContainerEvents& operator=(const ContainerEvents&) = delete;

 private:
  void run();
  /// Until containerd ends the stream. Answers whether there was one.
  bool listen();
  /// Whether the next operation of the stream succeeds; waits for it without being one of gRPC's polling threads. Such
  /// a one takes its turn at the sockets of all calls and hands them on: asleep in a stream it cost a pull's reads 9 %
  /// more.
  bool succeeds(grpc::CompletionQueue& queue);

  const std::string socket_;
  records::Sink& sink_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  grpc::ClientContext* context_ = nullptr;  // Of the stream under way.
  std::thread thread_;
};

}  // namespace paceline::events
