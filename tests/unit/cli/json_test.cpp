#include "plugin/cli/json.h"

#include <gtest/gtest.h>

#include "tests/unit/cli/samples.h"

namespace paceline::cli {
namespace {

// Scripts depend on these lines: a change here is a change for users (docs/cli.md).
TEST(Json, APull) {
  v1::Pull pull = make_pull("42", "docker.io/library/redis:7", v1::PULL_STATE_FETCHING);
  pull.set_total_bytes(10);
  pull.set_blob_count(1);
  auto* blob = pull.add_blobs();
  blob->set_digest("sha256:aa");
  blob->set_media_type("m");
  blob->set_size_bytes(10);
  EXPECT_EQ(to_line(to_json(pull)),
            R"({"pull_id":"42","image":"docker.io/library/redis:7","manifest_digest":null,"platform":"linux/amd64",)"
            R"("source":"prefetch","foreground":false,"state":"fetching","error":null,)"
            R"("started_unix_ms":1700000000000,"finished_unix_ms":null,"elapsed_ms":0,"resolve_ms":0,)"
            R"("total_bytes":10,"received_bytes":0,"fetched_bytes":0,"resumed_bytes":0,"retries":0,"streams":0,)"
            R"("bytes_per_second":0.0,"policy":"","blob_count":1,"blobs_done":0,"unpack":false,)"
            R"("layers_unpacked":0,"blobs":[{"digest":"sha256:aa","media_type":"m","size_bytes":10,"received_bytes":0,)"
            R"("present":false,"done":false,"streams":0,"unpack":"none","unpacked_bytes":0}]})");
}

TEST(Json, AnError) {
  v1::Pull pull = make_pull("1", "x", v1::PULL_STATE_FAILED);
  pull.mutable_error()->set_code("NOT_FOUND");
  pull.mutable_error()->set_message("no \"such\" image\x1b");
  EXPECT_EQ(to_line(to_json(pull)["error"]), R"({"code":"NOT_FOUND","message":"no \"such\" image\u001b"})");
}

TEST(Json, ABlob) {
  v1::Blob blob;
  blob.set_digest("sha256:aa");
  blob.set_size_bytes(7);
  blob.set_visibility(v1::VISIBILITY_HIDDEN);
  blob.set_created_unix_ms(5);
  EXPECT_EQ(to_line(to_json(blob)),
            R"({"digest":"sha256:aa","size_bytes":7,"visibility":"hidden","pinned":false,"created_unix_ms":5,)"
            R"("updated_unix_ms":null,"last_used_unix_ms":null})");
}

TEST(Json, UsageWithoutAQuota) {
  EXPECT_EQ(to_line(to_json(v1::Usage())),
            R"({"listed_blobs":0,"listed_bytes":0,"hidden_blobs":0,"hidden_bytes":0,"pinned_bytes":0,)"
            R"("partial_bytes":0,"quota_bytes":null,"free_floor_bytes":0,"free_bytes":0,"evictions":0,)"
            R"("unpacked_layers":0,"unpacked_bytes":0})");
}

TEST(Json, AVerifyEvent) {
  v1::VerifyBlobsEvent event;
  event.set_digest("sha256:aa");
  event.set_ok(true);
  EXPECT_EQ(to_line(to_json(event)),
            R"({"digest":"sha256:aa","size_bytes":0,"ok":true,"error":null,"verified_blobs":0,"total_blobs":0,)"
            R"("verified_bytes":0,"total_bytes":0})");
}

TEST(Json, AnEviction) {
  v1::EvictResponse response;
  response.set_evicted_blobs(2);
  auto* failure = response.add_failures();
  failure->set_target("redis");
  failure->mutable_error()->set_code("NOT_FOUND");
  EXPECT_EQ(to_line(to_json(response)),
            R"({"evicted_blobs":2,"evicted_bytes":0,"evicted_layers":0,"evicted_layer_bytes":0,"kept_blobs":0,)"
            R"("failures":[{"target":"redis",)"
            R"("error":{"code":"NOT_FOUND","message":""}}]})");
}

TEST(Json, APinAPathAndAVersion) {
  v1::Pinned pin;
  pin.set_image("redis");
  pin.add_digests("sha256:aa");
  EXPECT_EQ(to_line(to_json(pin)), R"({"image":"redis","size_bytes":0,"digests":["sha256:aa"]})");

  v1::Path path;
  path.set_host("cdn:443");
  path.set_rtt_ms(35.5);
  path.set_ranges(true);
  EXPECT_EQ(to_line(to_json(path)),
            R"({"host":"cdn:443","policy":"","stream_limit":0,"active_streams":0,"stream_ceiling":0,"mode":"",)"
            R"("reason":"","rtt_ms":35.5,"first_byte_ms":0.0,"bytes_per_second":0.0,"best_bytes_per_second":0.0,)"
            R"("ranges":true,"silent_ms":0.0,"fetched_bytes":0,"requests":0,"retries":0,"throttled":0})");

  v1::Version version;
  version.set_version("0.1.0");
  EXPECT_EQ(to_line(to_json(version)),
            R"({"version":"0.1.0","api_version":"","started_unix_ms":null,"uptime_ms":0,"process_id":0,)"
            R"("platform":""})");
}

TEST(Json, BytesThatAreNoTextAreReplaced) { EXPECT_EQ(to_line(Json("\xff")), "\"\xEF\xBF\xBD\""); }

TEST(Json, AStateFromANewerDaemon) {
  EXPECT_EQ(word(static_cast<v1::PullState>(99)), "unknown");
  EXPECT_EQ(word(static_cast<v1::PullSource>(99)), "unknown");
  EXPECT_EQ(word(static_cast<v1::Visibility>(99)), "unknown");
}

}  // namespace
}  // namespace paceline::cli
