#include "plugin/cli/cold_pulls.h"

#include <algorithm>
#include <thread>

#include "plugin/records/cold_start.h"

namespace paceline::cli {
namespace {

using std::chrono::milliseconds;

/// The record is written on a thread of its own, behind the pull.
constexpr int kRecordTries = 100;
constexpr milliseconds kRecordPause{50};

Outcome<v1::Pull> prefetch(Client& client, const std::string& image, bool unpack) {
  v1::PrefetchRequest request;
  request.add_images(image);
  request.set_wait(true);
  request.set_unpack(unpack);
  request.set_cancel_on_disconnect(true);
  request.set_include_blobs(true);
  const auto stream = client.stream(&Client::Stub::Prefetch, request);
  v1::PullEvent event;
  v1::Pull last;
  while (stream->read(event)) last = event.pull();
  if (auto end = stream->finish(); !end) return tl::unexpected(end.error());
  if (last.state() != v1::PULL_STATE_DONE) {
    return tl::unexpected(Failure{exit_for_pull(last.error().code()), image + ": " + last.error().message()});
  }
  return last;
}

Outcome<records::ColdStart> find_record(Session& session, Client& client, const std::string& pull_id) {
  v1::GetRecordRequest request;
  request.set_pull_id(pull_id);
  for (int attempt = 1;; ++attempt) {
    const auto response = client.call(&Client::Stub::GetRecord, request);
    if (response) {
      auto record = records::from_json(response->json());
      if (!record) return tl::unexpected(Failure{Exit::kFailed, record.error().message});
      return std::move(*record);
    }
    if (response.error().exit != Exit::kNotFound || attempt == kRecordTries || session.interrupts.interrupted()) {
      return tl::unexpected(response.error());
    }
    std::this_thread::sleep_for(kRecordPause);
  }
}

Outcome<void> evict(Client& client, const v1::Pull& pull, const v1::EvictRequest& request) {
  const auto response = client.call(&Client::Stub::Evict, request);
  if (!response) return tl::unexpected(response.error());
  if (response->failures_size() > 0) {
    return tl::unexpected(Failure{Exit::kFailed, pull.image() + ": " + response->failures(0).error().message()});
  }
  return {};
}

Outcome<void> evict_all(Client& client, const v1::Pull& pull) {
  v1::EvictRequest request;
  const auto slash = pull.image().rfind('/');
  const std::string name =
      pull.image().substr(0, pull.image().find_first_of(":@", slash == std::string::npos ? 0 : slash));
  request.add_targets(name + "@" + pull.manifest_digest());
  return evict(client, pull, request);
}

/// Only what this pull has brought: the rest was on the node for others. What does not go is no news beside the error
/// that this is done for.
void evict_new(Client& client, const v1::Pull& pull) {
  v1::EvictRequest request;
  for (const auto& blob : pull.blobs()) {
    if (!blob.present()) request.add_targets(blob.digest());
  }
  if (request.targets().empty()) return;
  request.add_targets(pull.manifest_digest());
  (void)evict(client, pull, request);
}

}  // namespace

Outcome<MeasuredPulls::Phases> pull_cold(Session& session, Client& client, const std::string& image, bool unpack) {
  const auto pull = prefetch(client, image, unpack);
  if (!pull) return tl::unexpected(pull.error());
  const bool warm =
      std::any_of(pull->blobs().begin(), pull->blobs().end(), [](const auto& blob) { return blob.present(); });
  if (warm) {
    evict_new(client, *pull);
    return tl::unexpected(
        Failure{Exit::kFailed,
                image + " is on this node, in part at least: a cold pull cannot be measured. "
                        "Remove it from containerd, 'paceline unpin' and 'paceline evict' it, or measure elsewhere"});
  }
  const auto record = find_record(session, client, pull->pull_id());
  const auto gone = evict_all(client, *pull);
  if (!record) return tl::unexpected(record.error());
  if (!gone) return tl::unexpected(gone.error());
  const auto phase = [&](const char* name) { return record->phase_ms(name) / 1000; };
  MeasuredPulls::Phases out;
  out.setup = phase("token") + phase("resolve") + phase("manifest") + phase("connect");
  out.fetch = phase("fetch");
  out.verify = phase("verify");
  out.unpack = phase("unpack");
  out.total = out.setup + out.fetch + out.verify + out.unpack;
  return out;
}

}  // namespace paceline::cli
