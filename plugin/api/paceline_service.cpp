#include "plugin/api/paceline_service.h"

#include <unistd.h>

#include <chrono>
#include <mutex>
#include <utility>
#include <vector>

#include "plugin/api/convert.h"
#include "plugin/api/eviction.h"
#include "plugin/api/request_check.h"

namespace paceline::api {
namespace {

constexpr std::string_view kApiVersion = "v1";
// Store writes and registry round trips of a few calls at once; all others wait their turn.
constexpr unsigned kWorkers = 2;
// About 40 KB a message.
constexpr int kBlobsPerMessage = 256;
constexpr int kRecordsPerMessage = 256;
// Enough of a refused target to recognise it.
constexpr std::size_t kMaxEchoBytes = 300;

grpc::ServerUnaryReactor* finish(grpc::CallbackServerContext* context, const grpc::Status& status = grpc::Status::OK) {
  auto* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

grpc::ServerUnaryReactor* refuse(grpc::CallbackServerContext* context, const Error& error) {
  return finish(context, to_grpc(error));
}

template <class Event>
EventStream<Event>* refuse_stream(const Error& error) {
  auto stream = std::make_shared<EventStream<Event>>();
  stream->open();
  stream->close(to_grpc(error));
  return stream.get();
}

/// What a client that took its pulls with it has started: cancelled when it goes, also while they are being started.
/// Any thread. The pull manager outlives the calls.
class Leash {
 public:
  explicit Leash(PullControl& pulls) : pulls_(pulls) {}

  void add(const std::string& id) {
    {
      const std::lock_guard lock(mutex_);
      if (!gone_) {
        ids_.push_back(id);
        return;
      }
    }
    drop(id);
  }

  void cancel() {
    std::vector<std::string> ids;
    {
      const std::lock_guard lock(mutex_);
      gone_ = true;
      ids.swap(ids_);
    }
    for (const auto& id : ids) drop(id);
  }

 private:
  // One that is over already is no error.
  void drop(const std::string& id) { static_cast<void>(pulls_.cancel(id)); }

  PullControl& pulls_;
  std::mutex mutex_;
  std::vector<std::string> ids_;
  bool gone_ = false;
};

Error no_such_pull(const std::string& id) {
  return {Code::kNotFound, "pull " + id + ": there is no such pull; finished ones are forgotten after a while"};
}

Error no_records() {
  return {Code::kFailedPrecondition,
          "no cold-start records are kept: set records.enabled in the daemon's configuration"};
}

}  // namespace

PacelineService::PacelineService(PullControl& pulls, store::Store& store, records::RecordStore* records,
                                 const Clock& clock, std::string version, layers::KeptLayers* kept)
    : pulls_(pulls),
      store_(store),
      records_(records),
      clock_(clock),
      kept_(kept),
      version_(std::move(version)),
      started_(clock.now()),
      started_wall_(clock.wall()),
      progress_(pulls, clock),
      verification_(store),
      pool_("api", kWorkers) {}

void PacelineService::stop() {
  progress_.stop();
  verification_.stop();
}

// ----------------------------------------------------------------------------------------------------------------
// pulls

grpc::ServerWriteReactor<v1::PullEvent>* PacelineService::Prefetch(Context*, const v1::PrefetchRequest* request) {
  const auto images = check_images(request->images());
  if (!images) return refuse_stream<v1::PullEvent>(images.error());
  const auto platform = check_platform(request->platform());
  if (!platform) return refuse_stream<v1::PullEvent>(platform.error());
  if (request->cancel_on_disconnect() && !request->wait()) {
    return refuse_stream<v1::PullEvent>({Code::kInvalidArgument, "cancel_on_disconnect makes sense only with wait"});
  }

  std::vector<pull::PrefetchRequest> requests;
  const auto unpack = request->has_unpack() ? std::optional(request->unpack()) : std::nullopt;
  for (const auto& image : *images) requests.push_back({image, *platform, request->pin(), unpack});

  auto stream = std::make_shared<PullStream>();
  auto leash = request->cancel_on_disconnect() ? std::make_shared<Leash>(pulls_) : nullptr;
  auto* reactor = stream->open([leash](PullStream::End end) {
    if (leash && end == PullStream::End::kClientGone) leash->cancel();
  });
  const Blobs blobs = request->include_blobs() ? Blobs::kInclude : Blobs::kOmit;
  pool_.post([this, stream, leash, requests = std::move(requests), blobs, wait = request->wait()] {
    Watch::Options watch{{}, blobs};
    for (const auto& one : requests) {
      watch.ids.push_back(pulls_.start_prefetch(one));
      if (leash) leash->add(watch.ids.back());
    }
    if (wait) return progress_.follow(stream, std::move(watch));
    for (const auto& id : watch.ids) {
      v1::PullEvent event;
      event.mutable_pull()->set_pull_id(id);
      if (const auto pull = pulls_.find(id)) *event.mutable_pull() = to_proto(*pull, blobs);
      if (!stream->push(std::move(event))) break;
    }
    stream->close(grpc::Status::OK);
  });
  return reactor;
}

grpc::ServerUnaryReactor* PacelineService::ListPulls(Context* context, const v1::ListPullsRequest* request,
                                                     v1::ListPullsResponse* response) {
  const Blobs blobs = request->include_blobs() ? Blobs::kInclude : Blobs::kOmit;
  for (const auto& pull : pulls_.pulls()) {
    if (request->include_finished() || !is_over(pull.state)) *response->add_pulls() = to_proto(pull, blobs);
  }
  return finish(context);
}

grpc::ServerUnaryReactor* PacelineService::GetPull(Context* context, const v1::GetPullRequest* request,
                                                   v1::Pull* response) {
  if (const auto valid = check_pull_id(request->pull_id()); !valid) return refuse(context, valid.error());
  const auto pull = pulls_.find(request->pull_id());
  if (!pull) return refuse(context, no_such_pull(request->pull_id()));
  *response = to_proto(*pull, Blobs::kInclude);
  return finish(context);
}

grpc::ServerWriteReactor<v1::PullEvent>* PacelineService::WatchPull(Context*, const v1::WatchPullRequest* request) {
  if (request->pull_ids_size() > kMaxNames) {
    return refuse_stream<v1::PullEvent>(
        {Code::kInvalidArgument, "too many pulls for one call: at most " + std::to_string(kMaxNames)});
  }
  Watch::Options watch{{}, request->include_blobs() ? Blobs::kInclude : Blobs::kOmit};
  for (const auto& id : request->pull_ids()) {
    if (const auto valid = check_pull_id(id); !valid) return refuse_stream<v1::PullEvent>(valid.error());
    if (!pulls_.find(id)) return refuse_stream<v1::PullEvent>(no_such_pull(id));
    watch.ids.push_back(id);
  }
  const auto stream = std::make_shared<PullStream>();
  auto* reactor = stream->open();
  progress_.follow(stream, std::move(watch));
  return reactor;
}

grpc::ServerUnaryReactor* PacelineService::CancelPull(Context* context, const v1::CancelPullRequest* request,
                                                      v1::Pull* response) {
  if (const auto valid = check_pull_id(request->pull_id()); !valid) return refuse(context, valid.error());
  if (const auto cancelled = pulls_.cancel(request->pull_id()); !cancelled) return refuse(context, cancelled.error());
  if (const auto pull = pulls_.find(request->pull_id())) *response = to_proto(*pull, Blobs::kOmit);
  return finish(context);
}

// ----------------------------------------------------------------------------------------------------------------
// blobs

grpc::ServerWriteReactor<v1::ListBlobsResponse>* PacelineService::ListBlobs(Context*,
                                                                            const v1::ListBlobsRequest* request) {
  std::optional<store::Visibility> visibility;
  switch (request->visibility()) {
    case v1::VISIBILITY_UNSPECIFIED:
      break;
    case v1::VISIBILITY_HIDDEN:
      visibility = store::Visibility::kHidden;
      break;
    case v1::VISIBILITY_LISTED:
      visibility = store::Visibility::kListed;
      break;
    default:
      return refuse_stream<v1::ListBlobsResponse>(
          {Code::kInvalidArgument, "unknown visibility " + std::to_string(request->visibility())});
  }
  const auto stream = std::make_shared<EventStream<v1::ListBlobsResponse>>();
  auto* reactor = stream->open();
  v1::ListBlobsResponse message;
  for (const auto& blob : store_.list(visibility)) {
    *message.add_blobs() = to_proto(blob);
    if (message.blobs_size() == kBlobsPerMessage && !stream->push(std::exchange(message, {}))) break;
  }
  if (message.blobs_size() > 0) stream->push(std::move(message));
  stream->close(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* PacelineService::GetUsage(Context* context, const v1::GetUsageRequest*, v1::Usage* response) {
  *response = to_proto(store_.usage());
  if (kept_ != nullptr) {
    const auto totals = kept_->totals();
    response->set_unpacked_layers(totals.layers);
    response->set_unpacked_bytes(totals.bytes);
  }
  return finish(context);
}

grpc::ServerWriteReactor<v1::VerifyBlobsEvent>* PacelineService::VerifyBlobs(Context*,
                                                                             const v1::VerifyBlobsRequest* request) {
  auto digests = check_digests(request->digests());
  if (!digests) return refuse_stream<v1::VerifyBlobsEvent>(digests.error());
  const auto stream = std::make_shared<VerifyStream>();
  auto* reactor = stream->open();
  verification_.start(stream, std::move(*digests));
  return reactor;
}

// ----------------------------------------------------------------------------------------------------- pins and
// eviction

grpc::ServerUnaryReactor* PacelineService::Pin(Context* context, const v1::PinRequest* request,
                                               v1::PinResponse* response) {
  auto image = check_image(request->image());
  if (!image) return refuse(context, image.error());
  auto platform = check_platform(request->platform());
  if (!platform) return refuse(context, platform.error());
  auto* reactor = context->DefaultReactor();
  pool_.post([this, reactor, response, wanted = pull::PrefetchRequest{*image, *platform, true, {}}] {
    response->set_pull_id(pulls_.start_prefetch(wanted));
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

grpc::ServerUnaryReactor* PacelineService::Unpin(Context* context, const v1::UnpinRequest* request,
                                                 v1::UnpinResponse* response) {
  const auto image = check_image(request->image());
  if (!image) return refuse(context, image.error());
  response->set_image(image->to_string());
  auto* reactor = context->DefaultReactor();
  pool_.post([this, reactor, response] {
    const auto unpinned = store_.unpin(response->image());
    reactor->Finish(unpinned ? grpc::Status::OK : to_grpc(unpinned.error()));
  });
  return reactor;
}

grpc::ServerUnaryReactor* PacelineService::ListPins(Context* context, const v1::ListPinsRequest*,
                                                    v1::ListPinsResponse* response) {
  for (const auto& [image, digests] : store_.pins()) {
    auto* pinned = response->add_pins();
    pinned->set_image(image);
    std::uint64_t bytes = 0;
    for (const auto& digest : digests) {
      pinned->add_digests(digest.to_string());
      if (const auto blob = store_.find(digest)) bytes += blob->size;
    }
    pinned->set_size_bytes(bytes);
  }
  return finish(context);
}

grpc::ServerUnaryReactor* PacelineService::Evict(Context* context, const v1::EvictRequest* request,
                                                 v1::EvictResponse* response) {
  if (request->all() && !request->targets().empty()) {
    return refuse(context, {Code::kInvalidArgument, "all and targets exclude each other: give one of them"});
  }
  if (!request->all() && request->targets().empty()) {
    return refuse(context, {Code::kInvalidArgument, "nothing to evict is named: give digests or images, or all"});
  }
  if (request->targets_size() > kMaxNames) {
    return refuse(context,
                  {Code::kInvalidArgument, "too many targets for one call: at most " + std::to_string(kMaxNames)});
  }
  auto* reactor = context->DefaultReactor();
  pool_.post([this, reactor, request, response] {
    Eviction eviction(store_, pulls_, kept_);
    if (request->all()) eviction.all();
    for (const auto& target : request->targets()) eviction.target(target);
    const auto& report = eviction.report();
    response->set_evicted_blobs(report.evicted_blobs);
    response->set_evicted_bytes(report.evicted_bytes);
    response->set_kept_blobs(report.kept_blobs);
    response->set_evicted_layers(report.evicted_layers);
    response->set_evicted_layer_bytes(report.evicted_layer_bytes);
    for (const auto& [target, error] : report.failures) {
      auto* failure = response->add_failures();
      failure->set_target(target.substr(0, kMaxEchoBytes));
      *failure->mutable_error() = to_proto(error);
    }
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

// -------------------------------------------------------------------------------------------------------- paths,
// version

grpc::ServerUnaryReactor* PacelineService::GetPaths(Context* context, const v1::GetPathsRequest*,
                                                    v1::GetPathsResponse* response) {
  for (const auto& path : pulls_.paths()) *response->add_paths() = to_proto(path);
  return finish(context);
}

grpc::ServerWriteReactor<v1::ListRecordsResponse>* PacelineService::ListRecords(Context*,
                                                                                const v1::ListRecordsRequest* request) {
  if (records_ == nullptr) return refuse_stream<v1::ListRecordsResponse>(no_records());
  const auto stream = std::make_shared<EventStream<v1::ListRecordsResponse>>();
  auto* reactor = stream->open();
  pool_.post([this, stream, since = request->since_unix_ms(), limit = request->limit()] {
    const auto records = records_->list(since, limit);
    if (!records) return stream->close(to_grpc(records.error()));
    v1::ListRecordsResponse message;
    for (const auto& record : *records) {
      *message.add_records() = to_proto(record);
      if (message.records_size() == kRecordsPerMessage && !stream->push(std::exchange(message, {}))) break;
    }
    if (message.records_size() > 0) stream->push(std::move(message));
    stream->close(grpc::Status::OK);
  });
  return reactor;
}

grpc::ServerUnaryReactor* PacelineService::GetRecord(Context* context, const v1::GetRecordRequest* request,
                                                     v1::GetRecordResponse* response) {
  if (records_ == nullptr) return refuse(context, no_records());
  if (const auto valid = check_pull_id(request->pull_id()); !valid) return refuse(context, valid.error());
  auto* reactor = context->DefaultReactor();
  pool_.post([this, reactor, request, response] {
    auto json = records_->find(request->pull_id());
    if (json) response->set_json(std::move(*json));
    reactor->Finish(json ? grpc::Status::OK : to_grpc(json.error()));
  });
  return reactor;
}

grpc::ServerUnaryReactor* PacelineService::GetVersion(Context* context, const v1::GetVersionRequest*,
                                                      v1::Version* response) {
  const auto uptime = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - started_);
  response->set_version(version_);
  response->set_api_version(std::string(kApiVersion));
  response->set_started_unix_ms(unix_ms(started_wall_));
  response->set_uptime_ms(static_cast<std::uint64_t>(uptime.count()));
  response->set_process_id(::getpid());
  response->set_platform(oci::Platform::host().to_string());
  return finish(context);
}

}  // namespace paceline::api
