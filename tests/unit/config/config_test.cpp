#include "plugin/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugin/base/files.h"

namespace paceline::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(std::string_view toml) {
  const auto config = parse(toml, "paceline.toml");
  EXPECT_FALSE(config) << toml;
  if (config) return {};
  EXPECT_EQ(config.error().code, Code::kInvalidArgument);
  return config.error().message;
}

TEST(Config, EmptyFileIsAllDefaults) {
  const auto config = parse("", "paceline.toml");
  ASSERT_TRUE(config);
  EXPECT_EQ(*config, Config());
}

TEST(Config, ReadsEveryKindOfValue) {
  const auto config = parse(R"(
version = 1
root = "/srv/paceline/./x"
address = "/run/p.sock"
[log]
level = "debug"
format = "json"
[store]
content = ""
quota = "20GB"
free_floor = 1048576
[mirror]
enabled = false
address = "[::1]:0"
[metrics]
enabled = false
address = "localhost:0"
[registry]
certs_dirs = ["/a", "/b"]
docker_configs = []
[concurrency]
mode = "fixed"
streams = 7
[fetch]
connect_timeout = "2.5s"
stall_window = "1m"
unverified_bytes = "64MiB"
[prefetch]
bytes_per_second = "10MB"
)",
                            "paceline.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->root, "/srv/paceline/x");
  EXPECT_EQ(config->address, "/run/p.sock");
  EXPECT_EQ(config->log.level, "debug");
  EXPECT_EQ(config->log.format, LogFormat::kJson);
  EXPECT_EQ(config->store.quota, 20'000'000'000U);
  EXPECT_EQ(config->store.free_floor, 1'048'576U);
  EXPECT_FALSE(config->mirror.enabled);
  EXPECT_EQ(config->mirror.address, "[::1]:0");
  EXPECT_FALSE(config->metrics.enabled);
  EXPECT_EQ(config->metrics.address, "localhost:0");
  EXPECT_THAT(config->registry.certs_dirs, ElementsAre("/a", "/b"));
  EXPECT_TRUE(config->registry.docker_configs.empty());
  EXPECT_EQ(config->concurrency.mode, ConcurrencyMode::kFixed);
  EXPECT_EQ(config->concurrency.streams, 7U);
  EXPECT_EQ(config->fetch.connect_timeout, 2500ms);
  EXPECT_EQ(config->fetch.stall_window, 60s);
  EXPECT_EQ(config->fetch.unverified_bytes, 64U << 20U);
  EXPECT_EQ(config->prefetch.bytes_per_second, 10'000'000U);
}

TEST(Config, RegistryOverridesStartFromTheWholeConcurrencyTable) {
  const auto config = parse(R"(
[concurrency.registry."ghcr.io"]
max_streams = 8
prefetch_bytes_per_second = "5MB"
[concurrency.registry."localhost:5000"]
mode = "fixed"
[concurrency]
streams = 3
max_streams = 32
)",
                            "paceline.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->concurrency_by_registry.at("ghcr.io"), (Concurrency{ConcurrencyMode::kAdaptive, 3, 8, 5'000'000}));
  EXPECT_EQ(config->concurrency_by_registry.at("localhost:5000"), (Concurrency{ConcurrencyMode::kFixed, 3, 32}));
}

TEST(Config, ARegistryIsFoundByAnyOfItsSpellings) {
  Config config;
  const auto streams = [&config](const std::string& table, const std::string& host, const std::string& registry) {
    config.concurrency_by_registry = {{table, {ConcurrencyMode::kFixed, 99}}};
    return concurrency_for(config, host, registry).streams;
  };
  for (const std::string table : {"docker.io", "index.docker.io", "registry-1.docker.io", "docker.io:443"}) {
    EXPECT_EQ(streams(table, "docker.io", "docker.io"), 99U) << table;
    EXPECT_EQ(streams(table, "registry-1.docker.io:443", "docker.io"), 99U) << table;
    EXPECT_EQ(streams(table, "blobs.example:443", "docker.io"), 99U) << table;
    EXPECT_NE(streams(table, "ghcr.io:443", "ghcr.io"), 99U) << table;
  }
  EXPECT_EQ(streams("ghcr.io:443", "ghcr.io", "ghcr.io"), 99U);
  EXPECT_EQ(streams("ghcr.io", "ghcr.io:443", "ghcr.io:443"), 99U);
  EXPECT_EQ(streams("[::1]:443", "[::1]", "[::1]"), 99U);
  EXPECT_NE(streams("localhost:5000", "localhost:5001", "localhost:5001"), 99U);
}

TEST(Config, ABlobHostsOwnTableGoesBeforeItsRegistrys) {
  Config config;
  config.concurrency_by_registry = {{"docker.io", {ConcurrencyMode::kFixed, 7}},
                                    {"blobs.example", {ConcurrencyMode::kFixed, 9}}};
  EXPECT_EQ(concurrency_for(config, "blobs.example:443", "docker.io").streams, 9U);
  EXPECT_EQ(concurrency_for(config, "other.example:443", "docker.io").streams, 7U);
}

TEST(Config, AllErrorsAreNamedInTheOrderOfTheirLines) {
  const std::string message = error_of(
      "[fetch]\nretrys = 1\nconnect_timeout = 5\n[log]\nlevel = \"inof\"\n[mirror]\naddress = \"0.0.0.0:1\"\n");
  EXPECT_THAT(message, HasSubstr("paceline.toml:2: fetch.retrys: unknown key; did you mean fetch.retries?"));
  EXPECT_THAT(message, HasSubstr("paceline.toml:3: fetch.connect_timeout: must be a duration in quotes"));
  EXPECT_THAT(message, HasSubstr("paceline.toml:5: log.level: \"inof\" must be one of"));
  EXPECT_THAT(message, HasSubstr("did you mean \"info\"?"));
  EXPECT_THAT(message, HasSubstr("paceline.toml:7: mirror.address: '0.0.0.0:1' is not a loopback address"));
  EXPECT_LT(message.find(":2:"), message.find(":3:"));
  EXPECT_LT(message.find(":3:"), message.find(":5:"));
}

TEST(Config, UnknownKeysNameTheNearest) {
  EXPECT_THAT(error_of("rot = \"/x\""), HasSubstr("paceline.toml:1: rot: unknown key; did you mean root?"));
  EXPECT_THAT(error_of("retries = 3"), HasSubstr("did you mean fetch.retries?"));
  EXPECT_THAT(error_of("[prefetch]\nmax_pulls = 3"), HasSubstr("did you mean fetch.max_pulls?"));
  EXPECT_THAT(error_of("[stroe]\nsize = 3"), HasSubstr("stroe: unknown key; did you mean store?"));
  EXPECT_THAT(error_of("[registry]\nbad = 3"), HasSubstr("registry.bad: unknown key; `pacelined config default`"));
  EXPECT_THAT(error_of("xyzzyxyzzyxyzzy = 3"), HasSubstr("`pacelined config default` lists all"));
  EXPECT_THAT(error_of("[registry.\"ghcr.io\"]\nstreams = 3"), HasSubstr("registry.ghcr.io: unknown key"));
  EXPECT_THAT(error_of("[concurrency.registry.\"ghcr.io\"]\nstream = 3"),
              HasSubstr("concurrency.registry.\"ghcr.io\".stream: unknown key; did you mean streams?"));
}

TEST(Config, RegistryTablesMustBeHosts) {
  EXPECT_THAT(error_of("[concurrency.registry.\"no host\"]\n"), HasSubstr("is not a registry"));
  EXPECT_THAT(error_of("[concurrency.registry.ghcr.io]\nstreams = 3"), HasSubstr("Quote a host that holds dots"));
  EXPECT_THAT(error_of("[concurrency.registry]\nstreams = 3"), HasSubstr("needs a registry in front"));
  EXPECT_THAT(error_of("[concurrency]\nregistry = 3"), HasSubstr("is a table"));
}

TEST(Config, WrongTypesAndRanges) {
  EXPECT_THAT(error_of("root = 3"), HasSubstr("root: must be a path"));
  EXPECT_THAT(error_of("root = \"va\\nr\""), HasSubstr("\"va\\u000Ar\" must be an absolute path"));
  EXPECT_THAT(error_of("root = \"var\""), HasSubstr("must be an absolute path"));
  EXPECT_THAT(error_of("address = \"p.sock\""), HasSubstr("absolute path of a unix socket"));
  EXPECT_THAT(error_of("address = \"/" + std::string(107, 'x') + "\""), HasSubstr("longer than a socket path"));
  EXPECT_THAT(error_of("log = 3"), HasSubstr("log: is a table: write [log]"));
  EXPECT_THAT(error_of("[[log]]\nlevel = \"info\""), HasSubstr("is a table"));
  EXPECT_THAT(error_of("[log]\nlevel = \"INFO\""), HasSubstr("must be one of"));
  EXPECT_THAT(error_of("[log]\nformat = \"xml\""), HasSubstr("must be \"text\" or \"json\""));
  EXPECT_THAT(error_of("[store]\nquota = -1"), HasSubstr("must not be negative"));
  EXPECT_THAT(error_of("[store]\nquota = 1.5"), HasSubstr("must be a size"));
  EXPECT_THAT(error_of("[store]\nquota = \"many\""), HasSubstr("'many' is not a size"));
  EXPECT_THAT(error_of("[mirror]\nenabled = \"yes\""), HasSubstr("must be true or false"));
  EXPECT_THAT(error_of("[registry]\ncerts_dirs = \"/a\""), HasSubstr("must be a list of paths"));
  EXPECT_THAT(error_of("[registry]\ncerts_dirs = [1]"), HasSubstr("must be a path"));
  EXPECT_THAT(error_of("[concurrency]\nmax_streams = 129"), HasSubstr("above the largest value, 128"));
  EXPECT_THAT(error_of("[concurrency]\nmax_streams = 0"), HasSubstr("below the smallest value, 1"));
  EXPECT_THAT(error_of("[concurrency]\nmode = \"fixed\"\nstreams = 40"),
              HasSubstr("paceline.toml:3: concurrency.streams: 40 is above max_streams, 32"));
  EXPECT_THAT(error_of("[concurrency]\nstreams = 40\n[concurrency.registry.\"ghcr.io\"]\nmode = \"fixed\""),
              HasSubstr("paceline.toml:4: concurrency.registry.\"ghcr.io\".streams: 40 is above max_streams, 32"));
  EXPECT_THAT(error_of("[fetch]\nstall_window = \"1ms\""), HasSubstr("below the smallest value, \"1s\""));
  EXPECT_THAT(error_of("[fetch]\nunverified_bytes = 1"), HasSubstr("below the smallest value, \"16MiB\""));
  EXPECT_THAT(error_of("version = 2"), HasSubstr("version: must be 1"));
  EXPECT_THAT(error_of("version = \"1\""), HasSubstr("version: must be 1"));
}

TEST(Config, SyntaxErrorsNameLineAndColumn) {
  EXPECT_THAT(error_of("[log]\nlevel = \n"), HasSubstr("paceline.toml:2:"));
  EXPECT_THAT(error_of("[log]\nlevel = \"info\"\nlevel = \"warn\"\n"), HasSubstr("paceline.toml:3:"));
  EXPECT_THAT(error_of("\xff\xfe"), HasSubstr("paceline.toml:1:"));
  EXPECT_THAT(error_of("a = " + std::string(5000, '[')), HasSubstr("paceline.toml:1:"));
}

TEST(Config, ManyErrorsAreCut) {
  std::string toml;
  for (int i = 0; i < 50; ++i) toml += "wrong" + std::to_string(i) + " = 1\n";
  EXPECT_THAT(error_of(toml), HasSubstr("and 30 more"));
}

TEST(Config, ReadsTheArmsOfAnExperiment) {
  const auto config = parse("[experiment]\narms = [\"adaptive\", \"fixed:5*2\"]", "f");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->experiment.arms.size(), 2U);
  EXPECT_EQ(config->experiment.arms[0].policy.name(), "adaptive");
  EXPECT_EQ(config->experiment.arms[1].to_string(), "fixed:5*2");
  EXPECT_EQ(config->experiment.arms[1].weight, 2U);
}

TEST(Config, ArmsThatAreNoPoliciesAreNamed) {
  for (const char* arm : {"fast", "fixed", "fixed:", "fixed:0", "fixed:129", "fixed:3x", "adaptive*", "adaptive*0"}) {
    EXPECT_THAT(error_of("[experiment]\narms = [\"" + std::string(arm) + "\"]"), HasSubstr(arm)) << arm;
  }
  EXPECT_THAT(error_of("[experiment]\narms = [\"fixed:3\", \"fixed:3*2\"]"), HasSubstr("fixed:3 twice"));
}

TEST(Config, DefaultFileHoldsTheDefaults) {
  const std::string file = default_toml();
  EXPECT_EQ(*parse(file, "default"), Config());
  // Switched on, every line is still the default, and no key is missing.
  std::string active = file;
  for (std::size_t at = 0; (at = active.find("\n#", at)) != std::string::npos; ++at) {
    if (active[at + 2] != ' ') active.erase(at + 1, 1);  // Comments go on with a space, settings do not.
  }
  const auto config = parse(active, "default");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(*config, Config());
  EXPECT_THAT(active, HasSubstr("\nfree_floor = \"512MiB\"\n"));
  EXPECT_THAT(active, HasSubstr("\nconnect_timeout = \"10s\"\n"));
  EXPECT_THAT(active, HasSubstr("\nmax_age = \"90d\"\n"));
}

TEST(Config, DocsHoldTheGeneratedTable) {
  const auto page = read_file(std::string(PACELINE_DOCS) + "/configuration.md");
  ASSERT_TRUE(page);
  EXPECT_THAT(*page, HasSubstr(reference_markdown())) << "run `pacelined config reference` and paste it";
}

TEST(Config, TheReferenceNamesRanges) {
  const std::string table = reference_markdown();
  EXPECT_THAT(table, HasSubstr("| `fetch.retries` | `5` | 0 to 100 | yes |"));
  EXPECT_THAT(table, HasSubstr("| `fetch.stall_window` | `\"15s\"` | \"1s\" to \"10m\" | yes |"));
  EXPECT_THAT(table, HasSubstr("| `records.max_file_bytes` | `\"64MiB\"` | \"64KiB\" to \"64GiB\" | restart |"));
  EXPECT_THAT(table, HasSubstr("| `store.quota` | `0` | | restart |"));
}

TEST(Config, DifferencesSayWhatTakesEffect) {
  const Config before;
  Config after = before;
  EXPECT_TRUE(differences(before, after).empty());
  after.fetch.retries = 7;
  after.root = "/srv";
  after.concurrency_by_registry["ghcr.io"] = {ConcurrencyMode::kAdaptive, 6, 4};
  const auto changes = differences(before, after);
  ASSERT_EQ(changes.size(), 3U);
  EXPECT_EQ(changes[0].key, "root");
  EXPECT_FALSE(changes[0].live);
  EXPECT_EQ(changes[1].key, "fetch.retries");
  EXPECT_EQ(changes[1].before, "5");
  EXPECT_EQ(changes[1].after, "7");
  EXPECT_TRUE(changes[1].live);
  EXPECT_EQ(changes[2].key, "concurrency.registry.\"ghcr.io\".max_streams");
  EXPECT_EQ(changes[2].before, "32");
  EXPECT_EQ(changes[2].after, "4");
}

TEST(Config, LoadNamesAMissingFile) {
  const auto config = load("/nonexistent/paceline.toml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Code::kNotFound);
  EXPECT_THAT(config.error().message, HasSubstr("/nonexistent/paceline.toml"));
}

}  // namespace
}  // namespace paceline::config
