#include "plugin/filter/filter.h"

#include <gtest/gtest.h>

#include <map>

namespace paceline {
namespace {

/// Fields by their dotted path.
bool matches(const std::vector<std::string>& texts, const std::map<std::string, std::string>& fields) {
  const auto filter = Filter::parse(texts);
  EXPECT_TRUE(filter.has_value()) << (filter ? "" : filter.error().to_string());
  if (!filter) return false;
  return filter->matches([&](std::span<const std::string> path) -> std::optional<std::string> {
    std::string name;
    for (const auto& part : path) name += (name.empty() ? "" : ".") + part;
    const auto field = fields.find(name);
    if (field == fields.end()) return std::nullopt;
    return field->second;
  });
}

TEST(Filter, NoFilterMatchesEverything) {
  EXPECT_TRUE(matches({}, {}));
  EXPECT_TRUE(matches({""}, {}));
}

TEST(Filter, ComparesValues) {
  EXPECT_TRUE(matches({"digest==sha256:ab"}, {{"digest", "sha256:ab"}}));
  EXPECT_FALSE(matches({"digest==sha256:ab"}, {{"digest", "sha256:cd"}}));
  EXPECT_FALSE(matches({"digest==sha256:ab"}, {}));
  EXPECT_TRUE(matches({"digest!=sha256:ab"}, {{"digest", "sha256:cd"}}));
  EXPECT_TRUE(matches({"digest!=sha256:ab"}, {}));
  EXPECT_TRUE(matches({" digest == sha256:ab "}, {{"digest", "sha256:ab"}}));
}

TEST(Filter, TestsForPresence) {
  EXPECT_TRUE(matches({"labels.foo"}, {{"labels.foo", ""}}));
  EXPECT_FALSE(matches({"labels.foo"}, {{"labels.bar", "x"}}));
}

TEST(Filter, AllSelectorsOfOneAndAnyOfSeveral) {
  EXPECT_FALSE(matches({"a==1,b==2"}, {{"a", "1"}, {"b", "3"}}));
  EXPECT_TRUE(matches({"a==1,b==2"}, {{"a", "1"}, {"b", "2"}}));
  EXPECT_TRUE(matches({"a==1", "b==3"}, {{"a", "2"}, {"b", "3"}}));
}

TEST(Filter, FindsPatternsAnywhere) {
  EXPECT_TRUE(matches({"ref~=layer-.*ab"}, {{"ref", "default/1/layer-sha256:ab"}}));
  EXPECT_FALSE(matches({"ref~=^layer"}, {{"ref", "default/1/layer-sha256:ab"}}));
  EXPECT_TRUE(matches({R"(ref~=/a{1,2}\/b/)"}, {{"ref", "xaa/b"}}));
  EXPECT_TRUE(matches({"ref~=|a/b|,x==1"}, {{"ref", "a/b"}, {"x", "1"}}));
}

TEST(Filter, QuotesNamesAndValues) {
  EXPECT_TRUE(matches({R"(labels."containerd.io/gc.root"==yes)"}, {{"labels.containerd.io/gc.root", "yes"}}));
  EXPECT_TRUE(matches({R"(labels.k=="a, b")"}, {{"labels.k", "a, b"}}));
  EXPECT_TRUE(matches({R"(k=="\x41\102\u00e9\n\"")"}, {{"k", "AB\xc3\xa9\n\""}}));
}

TEST(Filter, RefusesWhatItDoesNotUnderstand) {
  for (const auto* text : {"==x", "a=x", "a===x", "a==", "a==1 b==2", "a==1,", ".a", "a.", "a==\"open", "a==\"\\q\"",
                           "a==\"\\xzz\"", "a==\"\\U00110000\"", "a~=(", "labels.a/b==c", "a==\"\\"}) {
    const std::vector<std::string> texts{text};
    const auto filter = Filter::parse(texts);
    ASSERT_FALSE(filter.has_value()) << text;
    EXPECT_EQ(filter.error().code, Code::kInvalidArgument);
    EXPECT_NE(filter.error().message.find(text), std::string::npos) << filter.error().message;
  }
  const std::vector<std::string> huge{std::string(100'000, 'a')};
  EXPECT_FALSE(Filter::parse(huge).has_value());
}

TEST(Filter, FindsLabelsWhoseKeysHoldDots) {
  const std::map<std::string, std::string> labels = {{"containerd.io/gc.root", "yes"}};
  const auto lookup = [&](std::span<const std::string> path) { return find_label(labels, path); };
  for (const auto* text : {R"(labels."containerd.io/gc.root"==yes)", R"(labels."containerd.io/gc".root==yes)"}) {
    EXPECT_TRUE(Filter::parse(std::vector<std::string>{text})->matches(lookup)) << text;
  }
  EXPECT_FALSE(Filter::parse(std::vector<std::string>{"labels"})->matches(lookup));
}

}  // namespace
}  // namespace paceline
