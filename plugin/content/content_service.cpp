#include "plugin/content/content_service.h"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include "plugin/base/log.h"
#include "plugin/base/worker_pool.h"
#include "plugin/content/active_writes.h"
#include "plugin/content/list_stream.h"
#include "plugin/content/messages.h"
#include "plugin/content/read_stream.h"
#include "plugin/content/write_session.h"
#include "plugin/content/write_stream.h"

namespace paceline::content {
namespace {

constexpr int kMaxRequestBytes =
    16 << 20;  // containerd's own clients send up to 1 MiB of data in a message, and accept 16.

// Read alone is raw: its response is built without protobuf.
using Base = api::Content::WithRawCallbackMethod_Read<
    api::Content::WithCallbackMethod_Info<api::Content::WithCallbackMethod_Update<api::Content::WithCallbackMethod_List<
        api::Content::WithCallbackMethod_Delete<api::Content::WithCallbackMethod_Status<
            api::Content::WithCallbackMethod_ListStatuses<api::Content::WithCallbackMethod_Write<
                api::Content::WithCallbackMethod_Abort<api::Content::Service>>>>>>>>>;

grpc::ServerUnaryReactor* finish(grpc::CallbackServerContext* context, const grpc::Status& status) {
  auto* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

/// NOT_FOUND counts as done: an error would end containerd's whole garbage collection (contract §2).
grpc::Status removed(const Status& outcome) {
  if (outcome || outcome.error().code == Code::kNotFound) return grpc::Status::OK;
  return to_grpc(outcome.error());
}

}  // namespace

class ContentService::Impl final : public Base {
 public:
  Impl(store::Store& store, pull::FlightTable& flights, const Clock& clock, ReadGate* gate, ReadTimed timed)
      : gate_(gate),
        timed_(std::move(timed)),
        backend_{store, flights, active_, trail_, second_tries_, clock},
        control_("content-ctl", 2),
        bulk_("content-io", std::clamp(std::thread::hardware_concurrency(), 2U, 8U)) {}

  grpc::ServerUnaryReactor* Info(grpc::CallbackServerContext* context, const api::InfoRequest* request,
                                 api::InfoResponse* response) override {
    const auto digest = Digest::parse(request->digest());
    if (!digest) return finish(context, to_grpc(digest.error()));
    const auto info = backend_.store.find(*digest);
    trail_.leave(!info && backend_.flights.find(*digest) ? std::optional(*digest) : std::nullopt);
    if (!info) return finish(context, {grpc::StatusCode::NOT_FOUND, "content " + request->digest() + ": not found"});
    if (info->visibility == store::Visibility::kListed) {
      set_info(*response->mutable_info(), *info, backend_.store.labels(*digest));
      return finish(context, grpc::Status::OK);
    }
    // From here on the blob is containerd's: it must not be evicted once this is answered.
    return in_pool(control_, context, [this, digest = *digest, response]() -> grpc::Status {
      const auto adopted = backend_.store.adopt(digest);
      if (!adopted) return to_grpc(adopted.error());
      set_info(*response->mutable_info(), *adopted, backend_.store.labels(digest));
      return grpc::Status::OK;
    });
  }

  grpc::ServerUnaryReactor* Update(grpc::CallbackServerContext* context, const api::UpdateRequest* request,
                                   api::UpdateResponse* response) override {
    return in_pool(bulk_, context, [this, request, response] { return update(*request, *response); });
  }

  grpc::ServerWriteReactor<api::ListContentResponse>* List(grpc::CallbackServerContext* /*context*/,
                                                           const api::ListContentRequest* request) override {
    return ListStream::start(backend_.store, *request);
  }

  grpc::ServerUnaryReactor* Delete(grpc::CallbackServerContext* context, const api::DeleteContentRequest* request,
                                   google::protobuf::Empty* /*response*/) override {
    const auto digest = Digest::parse(request->digest());
    if (!digest) return finish(context, to_grpc(digest.error()));
    return in_pool(bulk_, context, [this, digest = *digest] { return removed(backend_.store.remove(digest)); });
  }

  grpc::ServerWriteReactor<grpc::ByteBuffer>* Read(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request) override {
    return ReadStream::start(backend_.store, bulk_, *request, hold_for(*context), timed_);
  }

  grpc::ServerUnaryReactor* Status(grpc::CallbackServerContext* context, const api::StatusRequest* request,
                                   api::StatusResponse* response) override {
    if (const auto ingest = active_.find_virtual(request->ref())) {
      set_status(*response->mutable_status(), status_of(*ingest));
      return finish(context, grpc::Status::OK);
    }
    const auto status = backend_.store.ingest_status(request->ref());
    if (!status) return finish(context, to_grpc(status.error()));
    set_status(*response->mutable_status(), *status);
    return finish(context, grpc::Status::OK);
  }

  grpc::ServerUnaryReactor* ListStatuses(grpc::CallbackServerContext* context, const api::ListStatusesRequest* request,
                                         api::ListStatusesResponse* response) override {
    const auto filter = parse_filters(request->filters());
    if (!filter) return finish(context, to_grpc(filter.error()));
    const auto add = [&](const store::IngestStatus& status) {
      if (matches(*filter, status)) set_status(*response->add_statuses(), status);
    };
    for (const auto& status : backend_.store.ingests()) {
      if (!active_.find_virtual(status.ref)) add(status);
    }
    for (const auto& ingest : active_.virtual_ingests()) add(status_of(ingest));
    return finish(context, grpc::Status::OK);
  }

  grpc::ServerBidiReactor<api::WriteContentRequest, api::WriteContentResponse>* Write(
      grpc::CallbackServerContext* /*context*/) override {
    return WriteStream::start(backend_, {control_, bulk_});
  }

  grpc::ServerUnaryReactor* Abort(grpc::CallbackServerContext* context, const api::AbortRequest* request,
                                  google::protobuf::Empty* /*response*/) override {
    // A stream that is open is told to stop, and removes the ingest itself.
    if (active_.abort(request->ref())) return finish(context, grpc::Status::OK);
    return in_pool(bulk_, context, [this, ref = request->ref()] { return removed(backend_.store.abort_ingest(ref)); });
  }

 private:
  [[nodiscard]] ReadStream::Hold hold_for(const grpc::CallbackServerContext& context) const {
    if (gate_ == nullptr) return {};
    const auto found = context.client_metadata().find("containerd-namespace");
    const bool named = found != context.client_metadata().end();
    return [gate = gate_, reader = named ? std::string(found->second.data(), found->second.size()) : std::string()](
               const Digest& digest, std::function<void()> go) { return gate->hold(digest, reader, std::move(go)); };
  }

  /// Runs `work` in the pool and answers with its status; request and response live until then.
  template <class Work>
  grpc::ServerUnaryReactor* in_pool(WorkerPool& pool, grpc::CallbackServerContext* context, Work work) {
    auto* reactor = context->DefaultReactor();
    pool.post([reactor, work = std::move(work)] { reactor->Finish(work()); });
    return reactor;
  }

  grpc::Status update(const api::UpdateRequest& request, api::UpdateResponse& response) {
    const auto digest = Digest::parse(request.info().digest());
    if (!digest) return to_grpc(digest.error());
    const auto given = checked_labels(request.info().labels());
    if (!given) return to_grpc(given.error());

    const std::lock_guard lock(update_mutex_);  // Reading, changing and writing labels is one step.
    if (const auto adopted = backend_.store.adopt(*digest); !adopted) return to_grpc(adopted.error());
    auto labels = backend_.store.labels(*digest);
    constexpr std::string_view kPrefix = "labels.";
    for (const auto& path : request.update_mask().paths()) {
      if (path == "labels") {
        labels = *given;
      } else if (path.starts_with(kPrefix)) {
        const auto key = path.substr(kPrefix.size());
        const auto value = given->find(key);
        if (value == given->end() || value->second.empty()) {
          labels.erase(key);
        } else {
          labels[key] = value->second;
        }
      } else {
        return {grpc::StatusCode::INVALID_ARGUMENT,
                "cannot update field '" + path + "' of content: only labels change"};
      }
    }
    if (request.update_mask().paths_size() == 0) labels = *given;
    const auto info = backend_.store.set_labels(*digest, labels);
    if (!info) return to_grpc(info.error());
    set_info(*response.mutable_info(), *info, labels);
    return grpc::Status::OK;
  }

  /// A virtual ingest moves with its flight.
  [[nodiscard]] store::IngestStatus status_of(const VirtualIngest& ingest) const {
    store::IngestStatus status{ingest.ref, 0, ingest.total, ingest.digest, ingest.started, backend_.clock.wall()};
    if (const auto flight = backend_.flights.find(ingest.digest)) {
      status.offset = flight->received;
    } else if (backend_.store.find(ingest.digest)) {
      status.offset = ingest.total;
    }
    return status;
  }

  ReadGate* const gate_;
  const ReadTimed timed_;
  ActiveWrites active_;
  InfoTrail trail_;
  SecondTries second_tries_;
  Backend backend_;
  std::mutex update_mutex_;
  // Last, so that their remaining tasks run while the rest is still there.
  WorkerPool control_;
  WorkerPool bulk_;
};

ContentService::ContentService(store::Store& store, pull::FlightTable& flights, const Clock& clock, ReadGate* gate,
                               ReadTimed timed)
    : impl_(std::make_unique<Impl>(store, flights, clock, gate, std::move(timed))) {}

ContentService::~ContentService() = default;

void ContentService::add_to(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.RegisterService(impl_.get());
}

}  // namespace paceline::content
