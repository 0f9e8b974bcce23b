// Whole command lines against the real service, on a real socket.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "plugin/base/files.h"
#include "plugin/cli/app.h"
#include "plugin/cli/json.h"
#include "tests/unit/api/api_server.h"
#include "tests/unit/records/samples.h"

namespace paceline::cli {
namespace {

class CommandTest : public testing::Test {
 protected:
  // Also on a terminal the tests print lines, not bars.
  static void SetUpTestSuite() { ::setenv("TERM", "dumb", 1); }

  struct Said {
    int exit = 0;
    std::string out, err;
  };

  Said paceline(std::vector<std::string> words) const {
    words.insert(words.begin(), {"paceline", "--address", api.address()});
    return raw(std::move(words));
  }

  static Said raw(std::vector<std::string> words) {
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::ostringstream out, err;
    const int exit = run(static_cast<int>(words.size()), argv.data(), out, err);
    return {exit, out.str(), err.str()};
  }

  static std::vector<Json> lines(const std::string& text) {
    std::vector<Json> out;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) out.push_back(Json::parse(line));
    return out;
  }

  /// Pulls that are over as soon as they begin.
  void finish_at_once(pull::PullState state, const std::optional<Error>& error = {}) {
    api.pulls.on_start([state, error](pull::PullSnapshot& pull) {
      pull.state = state;
      pull.error = error;
      pull.finished = pull.started;
    });
  }

  test::ApiServer api;
};

TEST_F(CommandTest, PrefetchWaitsAndSaysWhatCame) {
  finish_at_once(pull::PullState::kDone);
  const auto said = paceline({"prefetch", "redis:7"});
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_EQ(said.out, "docker.io/library/redis:7  done  0 B fetched in 0.0ms\n");
}

TEST_F(CommandTest, PrefetchThatFailsExitsWithTheReason) {
  finish_at_once(pull::PullState::kFailed, Error{Code::kNotFound, "no such tag"});
  const auto absent = paceline({"prefetch", "redis:7"});
  EXPECT_EQ(absent.exit, 4);
  EXPECT_EQ(absent.err, "error: docker.io/library/redis:7: no such tag\n");
  finish_at_once(pull::PullState::kFailed, Error{Code::kUnavailable, "the registry is away"});
  EXPECT_EQ(paceline({"prefetch", "redis:8"}).exit, 1);
}

TEST_F(CommandTest, PrefetchDetachedPrintsIds) {
  const auto said = paceline({"prefetch", "-d", "redis:7", "alpine"});
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_EQ(said.out, "pull-1  docker.io/library/redis:7\npull-2  docker.io/library/alpine:latest\n");
}

TEST_F(CommandTest, TheTimeoutEndsTheWaitNotThePull) {
  const auto said = paceline({"--timeout", "200ms", "prefetch", "redis:7"});
  EXPECT_EQ(said.exit, 5);
  EXPECT_NE(said.err.find("paceline cancel"), std::string::npos) << said.err;
  while (!api.pulls.find("pull-1")) std::this_thread::yield();  // The daemon may come to it after the client has gone.
  EXPECT_EQ(api.pulls.find("pull-1")->state, pull::PullState::kQueued);
}

TEST_F(CommandTest, WrongUseExitsWithTwoAndHelps) {
  EXPECT_EQ(paceline({"prefetch", "host/UPPER"}).exit, 2);
  EXPECT_EQ(paceline({"prefetch", ""}).exit, 2);
  EXPECT_EQ(paceline({"prefetch"}).exit, 2);
  EXPECT_EQ(paceline({"evict"}).exit, 2);
  EXPECT_EQ(paceline({"evict", "--all", "redis"}).exit, 2);
  EXPECT_EQ(paceline({"blobs", "--hidden", "--listed"}).exit, 2);
  EXPECT_EQ(paceline({"pulls", "--output", "xml"}).exit, 2);
  EXPECT_EQ(paceline({"pulls", "--timeout", "soon"}).exit, 2);
  EXPECT_EQ(paceline({}).exit, 2);
  const auto typo = raw({"paceline", "prefetsh", "redis"});
  EXPECT_EQ(typo.exit, 2);
  EXPECT_NE(typo.err.find("did you mean 'prefetch'"), std::string::npos) << typo.err;
}

TEST_F(CommandTest, AWordThatIsNoChoiceIsNamedWithTheChoices) {
  const auto error = [this](std::vector<std::string> words) {
    const auto said = paceline(std::move(words));
    EXPECT_EQ(said.exit, 2);
    EXPECT_EQ(said.out, "");
    return said.err.substr(0, said.err.find('\n'));
  };
  EXPECT_EQ(error({"pulls", "--output", "jsn"}),
            "error: --output: 'jsn' must be one of table, json, csv, html; did you mean 'json'?");
  EXPECT_EQ(error({"pulls", "-o", "1"}), "error: --output: '1' must be one of table, json, csv, html");
  EXPECT_EQ(error({"report", "--by", "0"}), "error: --by: '0' must be one of policy, registry, image");
  EXPECT_EQ(error({"report", "--source", "prefetched"}),
            "error: --source: 'prefetched' must be one of foreground, prefetch, adopted; did you mean 'prefetch'?");
  EXPECT_EQ(error({"completion", "zsh"}), "error: SHELL: 'zsh' must be bash");
}

TEST_F(CommandTest, OutputThatIsLostIsAFailure) {
  const auto into = [this](std::ostream& out, std::vector<std::string> words) {
    words.insert(words.begin(), {"paceline", "--address", api.address()});
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::ostringstream err;
    const int exit = run(static_cast<int>(words.size()), argv.data(), out, err);
    return std::pair(exit, err.str());
  };
  for (const auto& words : std::vector<std::vector<std::string>>{{"status"},
                                                                 {"status", "-o", "json"},
                                                                 {"completion", "bash"},
                                                                 {"--help"},
                                                                 {"pulls", "--help"},
                                                                 {"--version"}}) {
    std::ofstream full("/dev/full");
    const auto [exit, err] = into(full, words);
    EXPECT_EQ(exit, 1) << words.front();
    EXPECT_EQ(err, "error: cannot write the output: No space left on device\n") << words.front();
  }
  std::ofstream full("/dev/full");
  EXPECT_EQ(into(full, {"status", "none"}).first, 4) << "nothing was to be written";
}

TEST_F(CommandTest, HelpTeaches) {
  const auto help = raw({"paceline", "--help"});
  EXPECT_EQ(help.exit, 0);
  EXPECT_NE(help.out.find("Exit codes: 0 ok"), std::string::npos);
  for (const auto* command : {"prefetch", "pulls", "status", "cancel", "blobs", "verify", "pin", "unpin", "pins",
                              "evict", "paths", "version"}) {
    EXPECT_NE(help.out.find(command), std::string::npos) << command;
    EXPECT_EQ(raw({"paceline", command, "--help"}).exit, 0) << command;
  }
  EXPECT_NE(raw({"paceline", "evict", "--help"}).out.find("paceline evict --all"), std::string::npos);
  const std::string common = "Also --address, --output";
  EXPECT_NE(raw({"paceline", "version", "--help"}).out.find(common), std::string::npos);
  for (const auto* command : {"completion", "install", "uninstall"}) {
    EXPECT_EQ(raw({"paceline", command, "--help"}).out.find("paceline COMMAND"), std::string::npos) << command;
    EXPECT_EQ(raw({"paceline", command, "--help"}).out.find(common), std::string::npos) << command;
  }
}

TEST_F(CommandTest, NoDaemonIsThree) {
  const auto said = raw({"paceline", "--address", "/nonexistent/p.sock", "pulls"});
  EXPECT_EQ(said.exit, 3);
  EXPECT_NE(said.err.find("cannot reach pacelined at /nonexistent/p.sock"), std::string::npos) << said.err;
  const auto version = raw({"paceline", "--address", "/nonexistent/p.sock", "version"});
  EXPECT_EQ(version.exit, 3);
  EXPECT_NE(version.out.find("client  "), std::string::npos) << "its own it knows";
}

TEST_F(CommandTest, TheAddressMayComeFromTheEnvironment) {
  ::setenv("PACELINE_ADDRESS", api.address().c_str(), 1);
  const auto said = raw({"paceline", "version", "-o", "json"});
  ::unsetenv("PACELINE_ADDRESS");
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_EQ(Json::parse(said.out)["daemon"]["version"], "1.2.3");
}

TEST_F(CommandTest, PullsStatusAndCancel) {
  paceline({"prefetch", "-d", "redis:7", "alpine"});
  api.pulls.finish("pull-1");
  EXPECT_EQ(lines(paceline({"pulls", "-o", "json"}).out).size(), 1U);
  EXPECT_EQ(lines(paceline({"pulls", "--all", "-o", "json"}).out).size(), 2U);
  EXPECT_NE(paceline({"pulls"}).out.find("pull-2  docker.io/library/alpine:latest  queued"), std::string::npos);
  EXPECT_NE(paceline({"status", "pull-1"}).out.find("state       done"), std::string::npos);
  EXPECT_EQ(paceline({"status", "none"}).exit, 4);
  EXPECT_EQ(paceline({"cancel", "pull-2"}).out, "cancelled pull-2  docker.io/library/alpine:latest\n");
  EXPECT_EQ(paceline({"cancel", "pull-2"}).exit, 1);
  EXPECT_EQ(paceline({"cancel", "none"}).exit, 4);
  EXPECT_NE(paceline({"status"}).out.find("pulls   0 under way"), std::string::npos);
  EXPECT_EQ(lines(paceline({"status", "-o", "json"}).out).at(0)["usage"]["hidden_blobs"], 0);
}

TEST_F(CommandTest, BlobsVerifyAndEvict) {
  const auto hidden = api.hide("hidden");
  const auto listed = api.hide("listed");
  ASSERT_TRUE(api.store->adopt(listed));
  EXPECT_EQ(lines(paceline({"blobs", "-o", "json"}).out).size(), 2U);
  const auto only = lines(paceline({"blobs", "--hidden", "-o", "json"}).out);
  ASSERT_EQ(only.size(), 1U);
  EXPECT_EQ(only[0]["digest"], hidden.to_string());
  EXPECT_EQ(paceline({"verify"}).out, "verified 2 blobs, 12 B: all intact\n");
  EXPECT_EQ(paceline({"verify", sha256("absent").to_string()}).exit, 4);
  EXPECT_EQ(paceline({"evict", listed.to_string()}).exit, 1);
  EXPECT_EQ(paceline({"evict", sha256("absent").to_string()}).exit, 4);
  EXPECT_EQ(paceline({"evict", "--all"}).out, "evicted 1 blob, 6 B\n");
}

TEST_F(CommandTest, ADamagedBlobIsNamed) {
  const auto damaged = api.hide("damaged");
  const auto file = api.folder.path() / "content/.paceline/hidden/sha256" / damaged.hex();
  ASSERT_TRUE(write_file_atomically(file, "dAmaged", Durability::kProcessCrash));
  const auto said = paceline({"verify"});
  EXPECT_EQ(said.exit, 1);
  EXPECT_NE(said.out.find(damaged.to_string()), std::string::npos);
  EXPECT_NE(said.out.find("1 damaged"), std::string::npos);
}

TEST_F(CommandTest, PinsAreMadeAndTakenAway) {
  finish_at_once(pull::PullState::kDone);
  EXPECT_EQ(paceline({"pin", "redis"}).exit, 0);
  EXPECT_TRUE(api.pulls.requests().at(0).pin);
  ASSERT_TRUE(api.store->pin("docker.io/library/redis:latest", {api.hide("layer")}));
  EXPECT_EQ(paceline({"pins"}).out,
            "IMAGE                           BLOBS  SIZE\n"
            "docker.io/library/redis:latest      1   5 B\n");
  EXPECT_EQ(paceline({"unpin", "redis"}).out, "unpinned docker.io/library/redis:latest\n");
  EXPECT_EQ(paceline({"unpin", "redis"}).exit, 4);
}

TEST_F(CommandTest, Paths) {
  EXPECT_EQ(paceline({"paths"}).exit, 0);
  EXPECT_EQ(paceline({"paths", "-o", "json"}).out, "");
}

TEST_F(CommandTest, CompletionKnowsTheCommands) {
  const auto said = raw({"paceline", "completion", "bash"});
  EXPECT_EQ(said.exit, 0);
  EXPECT_NE(said.out.find("prefetch) words="), std::string::npos);
  EXPECT_EQ(said.out.find("completion)"), std::string::npos) << "hidden itself";
}

TEST_F(CommandTest, ReportComparesTheRecordsInEveryForm) {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(api.clock.wall().time_since_epoch()).count();
  for (int i = 0; i < 12; ++i) {
    auto record = records::sample_record("p" + std::to_string(i), now - 1000);
    record.policy = i % 2 == 0 ? "adaptive" : "fixed:3";
    record.pull_ms = i % 2 == 0 ? 1000 + i : 2000 + i;
    ASSERT_TRUE(api.records->put(record, now));
  }
  const auto table = paceline({"report"});
  EXPECT_EQ(table.exit, 0) << table.err;
  EXPECT_NE(table.out.find("adaptive is faster"), std::string::npos) << table.out;
  EXPECT_EQ(lines(paceline({"report", "--output", "json"}).out).size(), 2U);
  EXPECT_EQ(lines(paceline({"report", "--pulls", "-o", "json"}).out).size(), 12U);
  EXPECT_EQ(paceline({"report", "--pulls", "-o", "csv"}).out.find("pull_id,started_unix_ms,"), 0U);
  EXPECT_EQ(paceline({"report", "--pulls", "-o", "html"}).exit, 2);
  EXPECT_EQ(paceline({"report", "-o", "csv"}).out.find("policy,pulls,"), 0U);
  EXPECT_EQ(paceline({"report", "-o", "html", "--by", "image"}).out.find("<!doctype html>"), 0U);
  EXPECT_EQ(lines(paceline({"report", "--since", "1ms", "-o", "json"}).out).size(), 0U);
  EXPECT_EQ(paceline({"pulls", "-o", "csv"}).exit, 2);
}

TEST_F(CommandTest, ExplainTakesOnePullApart) {
  ASSERT_TRUE(api.records->put(records::sample_record("abc"), 1'000'000));
  const auto text = paceline({"explain", "ab"});
  EXPECT_EQ(text.exit, 0) << text.err;
  EXPECT_NE(text.out.find("bottleneck: link"), std::string::npos) << text.out;
  EXPECT_EQ(lines(paceline({"explain", "abc", "-o", "json"}).out).front()["bottleneck"], "link");
  EXPECT_EQ(paceline({"explain", "none"}).exit, 4);
}

}  // namespace
}  // namespace paceline::cli
