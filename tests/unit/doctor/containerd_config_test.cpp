#include "plugin/doctor/containerd_config.h"

#include <gtest/gtest.h>

namespace paceline::doctor {
namespace {

TEST(ContainerdConfig, OfOneThatHasPaceline) {
  const auto config = parse_containerd_config(R"(
disabled_plugins = ["io.containerd.content.v1.content"]
root = "/srv/containerd"
version = 2
[grpc]
  address = "/run/c.sock"
[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".registry]
      config_path = "/etc/containerd/certs.d:/etc/docker/certs.d"
      [plugins."io.containerd.grpc.v1.cri".registry.mirrors]
[proxy_plugins]
  [proxy_plugins.paceline-content]
    address = "unix:///run/paceline/paceline.sock"
    type = "content"
)");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->root, "/srv/containerd");
  EXPECT_EQ(config->socket, "/run/c.sock");
  EXPECT_FALSE(config->own_content_store);
  EXPECT_TRUE(config->cri);
  EXPECT_FALSE(config->old_mirrors);
  ASSERT_EQ(config->hosts_folders.size(), 2U);
  EXPECT_EQ(config->hosts_folders[1], "/etc/docker/certs.d");
  ASSERT_EQ(config->of_type("content").size(), 1U);
  EXPECT_EQ(config->of_type("content")[0].address, "/run/paceline/paceline.sock");
  EXPECT_TRUE(config->of_type("diff").empty());
}

TEST(ContainerdConfig, OfVersionTwoWithoutCriAndOfOldMirrors) {
  const auto disabled = parse_containerd_config(R"(
disabled_plugins = ["io.containerd.cri.v1.images"]
[plugins."io.containerd.cri.v1.images".registry]
  config_path = ""
[plugins."io.containerd.grpc.v1.cri"]
  stream_server_port = "0"
)");
  ASSERT_TRUE(disabled);
  EXPECT_FALSE(disabled->cri);
  EXPECT_TRUE(disabled->own_content_store);
  EXPECT_EQ(disabled->root, "/var/lib/containerd");
  const auto mirrors = parse_containerd_config(
      R"(plugins."io.containerd.cri.v1.images".registry.mirrors."docker.io".endpoint = ["https://m"])");
  ASSERT_TRUE(mirrors);
  EXPECT_TRUE(mirrors->old_mirrors);
  EXPECT_FALSE(parse_containerd_config("[plugins\n"));
}

TEST(ContainerdConfig, PluginsAsCtrListsThem) {
  const auto plugins = parse_plugins(
      "TYPE                            ID                       PLATFORMS      STATUS    \n"
      "io.containerd.content.v1        paceline-content         -              ok        \n"
      "io.containerd.snapshotter.v1    native                   linux/amd64    ok        \n"
      "io.containerd.snapshotter.v1    zfs                      linux/amd64,linux/386    skip      \n");
  ASSERT_EQ(plugins.size(), 3U);
  EXPECT_EQ(plugins[0].name, "paceline-content");
  EXPECT_TRUE(plugins[0].well);
  EXPECT_FALSE(plugins[2].well);
}

TEST(ContainerdConfig, Versions) {
  EXPECT_EQ(parse_containerd_version("containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3\n"),
            (ContainerdVersion{1, 6, 20}));
  EXPECT_EQ(parse_containerd_version("containerd github.com/containerd/containerd/v2 v2.1.9 abc"),
            (ContainerdVersion{2, 1, 9}));
  EXPECT_EQ(parse_containerd_version("containerd containerd.io 1.7.27 05044ec"), (ContainerdVersion{1, 7, 27}));
  EXPECT_EQ(parse_containerd_version("nothing of the kind"), ContainerdVersion());
  EXPECT_LT((ContainerdVersion{1, 6, 99}), (ContainerdVersion{1, 7, 0}));
}

}  // namespace
}  // namespace paceline::doctor
