#include "plugin/events/container_events.h"

#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "containerd/events/lifecycle.pb.h"
#include "containerd/services/events/v1/events.grpc.pb.h"
#include "plugin/base/log.h"

namespace paceline::events {
namespace {

namespace api = containerd::services::events::v1;
using namespace std::chrono_literals;

constexpr auto kFirstWait = 100ms;
// The daemon starts before containerd does, and the first containers come soon after it: a look costs next to nothing.
constexpr std::chrono::milliseconds kLongestWait = 500ms;
// How late an event may be heard; it brings the time at which it happened.
constexpr auto kBetweenLooks = 250ms;
constexpr const char* kCreated = "/containers/create";
constexpr const char* kStarted = "/tasks/start";
// An event of these topics is some hundred bytes; a container's spec is not in it.
constexpr int kMaxMessageBytes = 4 << 20;

WallTime to_wall(const google::protobuf::Timestamp& time) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::seconds(time.seconds()) +
                                                                 std::chrono::nanoseconds(time.nanos())));
}

void tell(const api::Envelope& envelope, records::Sink& sink) {
  const WallTime when = to_wall(envelope.timestamp());
  if (envelope.topic() == kCreated) {
    containerd::events::ContainerCreate created;
    if (!created.ParseFromString(envelope.event().value())) return;
    sink.container_created(envelope.namespace_(), created.id(), created.image(), when);
  } else if (envelope.topic() == kStarted) {
    containerd::events::TaskStart started;
    if (!started.ParseFromString(envelope.event().value())) return;
    sink.task_started(envelope.namespace_(), started.container_id(), when);
  }
}

}  // namespace

ContainerEvents::ContainerEvents(std::string socket, records::Sink& sink)
    : socket_(std::move(socket)), sink_(sink), thread_([this] { run(); }) {
  ::pthread_setname_np(thread_.native_handle(), "pl-events");
}

ContainerEvents::~ContainerEvents() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (context_ != nullptr) context_->TryCancel();
    wake_.notify_one();
  }
  thread_.join();
}

void ContainerEvents::run() {
  std::chrono::milliseconds wait = kFirstWait;
  bool said = false;
  for (;;) {
    std::error_code error;
    const bool heard = std::filesystem::exists(socket_, error) && listen();
    if (heard) {
      wait = kFirstWait;
      said = false;
    } else if (!std::exchange(said, true)) {
      spdlog::info("containerd's events at {} cannot be heard: records have no container phases until they can",
                   socket_);
    }
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, wait, [this] { return stopping_; })) return;
    wait = std::min(2 * wait, kLongestWait);
  }
}

bool ContainerEvents::listen() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  // A channel of its own each time: a shared one would keep to its own, longer waits after a failure.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto stub =
      api::Events::NewStub(grpc::CreateCustomChannel("unix:" + socket_, grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return true;
    context_ = &context;
  }
  api::SubscribeRequest request;
  for (const char* topic : {kCreated, kStarted}) request.add_filters(fmt::format("topic==\"{}\"", topic));
  grpc::CompletionQueue queue;
  const auto stream = stub->PrepareAsyncSubscribe(&context, request, &queue);
  stream->StartCall(nullptr);
  bool heard = false;
  // containerd answers with headers only when there is an event: that it is there shows when the stream ends.
  if (succeeds(queue)) {
    api::Envelope envelope;
    for (stream->Read(&envelope, nullptr); succeeds(queue); stream->Read(&envelope, nullptr)) {
      heard = true;
      tell(envelope, sink_);
    }
  }
  grpc::Status status;
  stream->Finish(&status, nullptr);
  succeeds(queue);
  {
    const std::lock_guard lock(mutex_);
    context_ = nullptr;
  }
  if (!heard) spdlog::debug("containerd's events: {}", status.error_message());
  return heard;
}

bool ContainerEvents::succeeds(grpc::CompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (queue.AsyncNext(&tag, &ok, gpr_time_0(GPR_CLOCK_MONOTONIC)) == grpc::CompletionQueue::GOT_EVENT) return ok;
    wake_.wait_for(lock, kBetweenLooks);
  }
  lock.unlock();  // The stream was cancelled: it ends at once.
  return queue.Next(&tag, &ok) && ok;
}

}  // namespace paceline::events
