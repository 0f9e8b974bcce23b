#include <gtest/gtest.h>

#include "plugin/cli/blob_tables.h"
#include "plugin/cli/pull_tables.h"
#include "plugin/cli/status_text.h"
#include "tests/unit/cli/samples.h"

namespace paceline::cli {
namespace {

constexpr std::int64_t kNow = 1'700'000'065'000;

TEST(PullTables, PullsAreOneLineEach) {
  EXPECT_EQ(pulls_table({fetching_pull("b2", "redis"), make_pull("a1", "alpine", v1::PULL_STATE_DONE)}, kNow, Style()),
            "PULL  IMAGE   STATE     SOURCE    DONE      SIZE      RATE  STREAMS    STARTED\n"
            "b2    redis   fetching  prefetch   20%  100.0 MB  8.0 MB/s        6  1m05s ago\n"
            "a1    alpine  done      prefetch     -         -         -        -  1m05s ago\n");
}

TEST(PullTables, OnePullInFull) {
  v1::Pull pull = fetching_pull("b2", "redis");
  pull.set_policy("adaptive");
  pull.set_elapsed_ms(2500);
  pull.set_resolve_ms(300);
  pull.set_fetched_bytes(15'000'000);
  pull.clear_blobs();
  EXPECT_EQ(pull_details(pull, Style()),
            "pull        b2\n"
            "image       redis\n"
            "platform    linux/amd64\n"
            "state       fetching\n"
            "source      prefetch\n"
            "elapsed     2.50s, of it 300ms for the manifest\n"
            "received    20.0/100.0 MB (15.0 MB fetched, 0 B resumed)\n"
            "rate        8.0 MB/s on 6 streams\n"
            "retries     0\n"
            "policy      adaptive\n");
}

TEST(PullTables, PathsSayWhyTheyAreAsTheyAre) {
  v1::Path path;
  path.set_host("cdn:443");
  path.set_mode("hold");
  path.set_reason("a queue stands");
  path.set_silent_ms(3000);
  path.set_policy("fixed:5");
  path.set_throttled(2);
  path.set_rtt_ms(3.25);
  path.set_first_byte_ms(112.7);
  const std::string text = paths_table({path});
  EXPECT_NE(text.find("hold: a queue stands, fixed:5, no ranges, throttled: 2, silent for 3s"), std::string::npos)
      << text;
  EXPECT_NE(text.find("3.2 ms"), std::string::npos) << text;
  EXPECT_NE(text.find("113 ms"), std::string::npos) << text;
}

TEST(BlobTables, Blobs) {
  v1::Blob blob;
  blob.set_digest("sha256:aa");
  blob.set_size_bytes(1500);
  blob.set_visibility(v1::VISIBILITY_HIDDEN);
  blob.set_pinned(true);
  blob.set_created_unix_ms(1'700'000'000'000);
  EXPECT_EQ(blobs_table({blob}, kNow),
            "DIGEST       SIZE  STATE   PINNED    CREATED  LAST USED\n"
            "sha256:aa  1.5 KB  hidden  yes     1m05s ago          -\n");
}

TEST(BlobTables, AnEvictionSaysWhatIsKept) {
  v1::EvictResponse response;
  response.set_evicted_blobs(3);
  response.set_evicted_bytes(40'100'000);
  EXPECT_EQ(eviction_text(response), "evicted 3 blobs, 40.1 MB");
  response.set_kept_blobs(1);
  EXPECT_EQ(eviction_text(response), "evicted 3 blobs, 40.1 MB; kept 1 blob that is listed or pinned");
}

TEST(StatusText, TheDaemonAtAGlance) {
  DaemonStatus status;
  status.address = "/run/paceline/paceline.sock";
  status.version.set_version("0.1.0");
  status.version.set_uptime_ms(192'000);
  status.version.set_process_id(7);
  status.usage.set_listed_blobs(2);
  status.usage.set_listed_bytes(3'000'000);
  status.usage.set_hidden_blobs(1);
  status.usage.set_hidden_bytes(1'000'000);
  status.usage.set_quota_bytes(20'000'000);
  status.usage.set_free_bytes(80'000'000'000);
  status.usage.set_free_floor_bytes(500'000'000);
  EXPECT_EQ(status_text(status, kNow, Style()),
            "daemon  pacelined 0.1.0, up 3m12s, process 7, /run/paceline/paceline.sock\n"
            "store   listed 2 blobs, 3.0 MB; hidden 1 blob, 1.0 MB; pinned 0 B; partial 0 B\n"
            "        quota 4.0/20.0 MB; disk 80.0 GB free, 500.0 MB of it always kept; 0 evictions\n"
            "pulls   0 under way, 0 queued, 0 streams, -\n");
}

}  // namespace
}  // namespace paceline::cli
