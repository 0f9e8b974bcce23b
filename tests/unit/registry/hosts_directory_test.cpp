#include "plugin/registry/hosts_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace paceline::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

class HostsDirectoryTest : public testing::Test {
 protected:
  fs::path write(const std::string& folder, const std::string& name, const std::string& text) {
    fs::create_directories(dir_.path() / folder);
    return dir_.write(folder + "/" + name, text);
  }
  std::vector<std::string> bases(const std::string& registry) {
    std::vector<std::string> out;
    const auto endpoints = hosts_.endpoints(registry);
    if (!endpoints) return {endpoints.error().message};
    for (const auto& endpoint : *endpoints) out.push_back(endpoint.base);
    return out;
  }

  test::TempDir dir_;
  HostsDirectory hosts_{{dir_.path() / "one", dir_.path() / "two"}, "127.0.0.1:5151"};
};

TEST_F(HostsDirectoryTest, WithoutFilesTheRegistryItselfIsAsked) {
  EXPECT_THAT(bases("docker.io"), ElementsAre("https://registry-1.docker.io/v2"));
  EXPECT_THAT(bases("ghcr.io"), ElementsAre("https://ghcr.io/v2"));
  EXPECT_THAT(bases("host:5000"), ElementsAre("https://host:5000/v2"));
  const auto loopback = hosts_.endpoints("localhost:5000").value().at(0);
  EXPECT_TRUE(loopback.try_http);
  EXPECT_TRUE(loopback.tls.skip_verify);
  EXPECT_TRUE(hosts_.endpoints("127.8.0.1:5000").value().at(0).try_http);
  EXPECT_TRUE(hosts_.endpoints("[::1]:5000").value().at(0).try_http);
  EXPECT_FALSE(hosts_.endpoints("localhost").value().at(0).try_http);
  EXPECT_EQ(hosts_.endpoints("localhost:80").value().at(0).base, "http://localhost:80/v2");
  EXPECT_FALSE(hosts_.endpoints("127.0.0.1.evil.test:5000").value().at(0).try_http);
  EXPECT_FALSE(hosts_.endpoints("../../etc"));
  EXPECT_FALSE(hosts_.endpoints(""));
}

TEST_F(HostsDirectoryTest, KeepsTheOrderOfTheFileAndPutsTheServerLast) {
  write("one/docker.io", "hosts.toml", R"(
server = "https://registry-1.docker.io"

[host."https://z.example"]
  capabilities = ["pull"]
[host."http://a.example:5000"]
  capabilities = ["pull", "resolve", "push"]
  [host."http://a.example:5000".header]
    x-one = "1"
    x-two = ["2", "3"]
[host."m.example".header]
  x-only = "header"
[host."https://b.example/proxy/"]
[host."https://c.example/api/raw"]
  override_path = true
)");
  EXPECT_THAT(bases("docker.io"), ElementsAre("https://z.example/v2", "http://a.example:5000/v2",
                                              "https://m.example/v2", "https://b.example/proxy/v2",
                                              "https://c.example/api/raw", "https://registry-1.docker.io/v2"));
  const auto endpoints = hosts_.endpoints("docker.io").value();
  EXPECT_FALSE(endpoints[0].resolve);
  EXPECT_TRUE(endpoints[1].resolve);
  EXPECT_THAT(endpoints[1].headers.all("X-Two"), ElementsAre("2", "3"));
  EXPECT_EQ(endpoints[2].headers.get("x-only"), "header");
  EXPECT_TRUE(endpoints[5].upstream);
  EXPECT_FALSE(endpoints[4].upstream);
}

TEST_F(HostsDirectoryTest, ReadsTrustRelativeToTheFile) {
  write("one/host_5000_", "hosts.toml", R"(
ca = "root.crt"
[host."https://a.example"]
  ca = ["one.crt", "/abs/two.crt"]
  client = [["c.cert", "c.key"]]
  skip_verify = true
  dial_timeout = "3s"
[host."https://b.example"]
  client = "both.pem"
[host."https://c.example"]
  client = ["first.pem", "second.pem"]
)");
  const auto endpoints = hosts_.endpoints("host:5000").value();
  const std::string folder = (dir_.path() / "one/host_5000_").string() + "/";
  EXPECT_THAT(endpoints[0].tls.ca_files, ElementsAre(folder + "one.crt", "/abs/two.crt"));
  EXPECT_EQ(endpoints[0].tls.client_cert, folder + "c.cert");
  EXPECT_EQ(endpoints[0].tls.client_key, folder + "c.key");
  EXPECT_TRUE(endpoints[0].tls.skip_verify);
  EXPECT_EQ(endpoints[0].connect_timeout, std::chrono::seconds(3));
  EXPECT_EQ(endpoints[1].tls.client_cert, folder + "both.pem");
  EXPECT_EQ(endpoints[2].tls.client_cert, folder + "first.pem");
  EXPECT_EQ(endpoints[3].base, "https://host:5000/v2");
  EXPECT_THAT(endpoints[3].tls.ca_files, ElementsAre(folder + "root.crt"));
}

TEST_F(HostsDirectoryTest, ReadsDockersCertificateFiles) {
  write("two/ghcr.io", "ca.crt", "pem");
  write("two/ghcr.io", "client.cert", "pem");
  write("two/ghcr.io", "client.key", "pem");
  const auto endpoint = hosts_.endpoints("ghcr.io").value().at(0);
  EXPECT_EQ(endpoint.base, "https://ghcr.io/v2");
  EXPECT_THAT(endpoint.tls.ca_files, ElementsAre((dir_.path() / "two/ghcr.io/ca.crt").string()));
  EXPECT_EQ(endpoint.tls.client_key, (dir_.path() / "two/ghcr.io/client.key").string());
}

TEST_F(HostsDirectoryTest, SkipsItsOwnMirrorAndDoesNotHideOtherRoots) {
  write("one/_default", "hosts.toml", "[host.\"http://localhost:5151\"]\n[host.\"http://127.0.0.1:5152\"]\n");
  EXPECT_THAT(bases("ghcr.io"), ElementsAre("http://127.0.0.1:5152/v2", "https://ghcr.io/v2"));
  EXPECT_THAT(bases("docker.io"), ElementsAre("http://127.0.0.1:5152/v2", "https://registry-1.docker.io/v2"));
  write("two/quay.io", "hosts.toml", "server = \"https://mirror.example\"");
  EXPECT_THAT(bases("quay.io"), ElementsAre("https://mirror.example/v2"));
  hosts_.set_own_mirror("127.0.0.1:5152");
  EXPECT_THAT(bases("ghcr.io"), ElementsAre("http://localhost:5151/v2", "https://ghcr.io/v2"));
}

TEST_F(HostsDirectoryTest, ReadsAChangedFileAgain) {
  const auto file = write("one/ghcr.io", "hosts.toml", "server = \"https://one.example\"");
  EXPECT_THAT(bases("ghcr.io"), ElementsAre("https://one.example/v2"));
  write("one/ghcr.io", "hosts.toml", "server = \"https://two.example\"");
  EXPECT_THAT(bases("ghcr.io"), ElementsAre("https://two.example/v2"));
  fs::remove(file);
  EXPECT_THAT(bases("ghcr.io"), ElementsAre("https://ghcr.io/v2"));
}

TEST_F(HostsDirectoryTest, NamesFileAndLineOfAMistake) {
  const std::tuple<std::string, std::string, std::string> cases[] = {
      {"server = \"https://x\"\n[host.\"https://y\"\n", ":2:", ""},
      {"\nserver = 5", ":2:", "string"},
      {"server = \"ftp://x\"", ":1:", "http"},
      {"server = \"https://user:hunter2@x.example\"", ":1:", "character"},
      {"[host]\n\"https://y\" = 3", ":2:", "table"},
      {"host = 3", ":1:", "table"},
      {"[host.\"https://y\"]\ncapabilities = [\"fly\"]", ":2:", "fly"},
      {"[host.\"https://y\"]\nca = 3", ":2:", "ca"},
      {"[host.\"https://y\"]\nclient = [[\"a\"]]", ":2:", "pair"},
      {"[host.\"https://y\"]\nskip_verify = \"no\"", ":2:", "true nor false"},
      {"[host.\"https://y\".header]\nx = \"a\\r\\nb\"", ":2:", "header"},
      {"[host.\"https:///v2\"]\nskip_verify = true", "", "host"},
  };
  for (const auto& [text, line, reason] : cases) {
    const auto file = write("one/ghcr.io", "hosts.toml", text);
    const auto endpoints = hosts_.endpoints("ghcr.io");
    ASSERT_FALSE(endpoints) << text;
    EXPECT_EQ(endpoints.error().code, Code::kInvalidArgument);
    EXPECT_THAT(endpoints.error().message, HasSubstr(file.string() + line)) << text;
    EXPECT_THAT(endpoints.error().message, HasSubstr(reason));
    EXPECT_THAT(endpoints.error().message, Not(HasSubstr("hunter2")));
  }
}

TEST_F(HostsDirectoryTest, AnUnknownKeyIsNoMistake) {
  write("one/ghcr.io", "hosts.toml", "[host.\"https://y.example\"]\ncapabilitys = [\"pull\"]");
  EXPECT_THAT(bases("ghcr.io"), ElementsAre("https://y.example/v2", "https://ghcr.io/v2"));
}

}  // namespace
}  // namespace paceline::registry
