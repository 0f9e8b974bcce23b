#include "plugin/mirror/route.h"

#include "plugin/base/digest.h"
#include "plugin/base/text.h"
#include "plugin/net/url.h"
#include "plugin/oci/reference.h"

namespace paceline::mirror {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) return fail(Code::kInvalidArgument, "malformed percent-encoding in the request");
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// Takes ns out of the query; the rest goes upstream encoded anew.
Status read_query(std::string_view query, std::string& ns, std::string& rest) {
  for (const auto pair : split(query, '&')) {
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    const auto name = percent_decoded(pair.substr(0, equals));
    const auto value = percent_decoded(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
    if (!name) return fail(name.error());
    if (!value) return fail(value.error());
    if (*name == "ns") {
      if (!ns.empty() && ns != *value) return fail(Code::kInvalidArgument, "the request names two registries (ns)");
      ns = *value;
    } else {
      rest += (rest.empty() ? "?" : "&") + net::encode(*name) + "=" + net::encode(*value);
    }
  }
  return {};
}

Status check_object(const Route& route) {
  if (route.kind == Route::Kind::kBlob || route.object.find(':') != std::string::npos) {
    const auto digest = Digest::parse(route.object);
    return digest ? Status() : Status(fail(digest.error()));
  }
  return oci::Reference::check_tag(route.object);
}

}  // namespace

Result<Route> parse_route(std::string_view target) {
  const auto question = target.find('?');
  const std::string_view encoded_path = target.substr(0, question);
  const auto decoded = percent_decoded(encoded_path);
  if (!decoded) return fail(decoded.error());
  std::string_view path = *decoded;
  Route route;
  if (path == "/v2" || path == "/v2/") return route;

  const auto unknown = [&] { return fail(Code::kNotFound, "not a path of the registry API's pull half"); };
  if (!path.starts_with("/v2/")) return unknown();
  path.remove_prefix(4);
  // A repository may hold a part called "manifests" or "blobs": only the last two parts decide.
  const auto last = path.rfind('/');
  const auto kind = last == std::string_view::npos || last == 0 ? last : path.rfind('/', last - 1);
  if (kind == std::string_view::npos || kind == 0) return unknown();
  const std::string_view word = path.substr(kind + 1, last - kind - 1);
  route.repository = path.substr(0, kind);
  route.object = path.substr(last + 1);
  if (word == "manifests") {
    route.kind = Route::Kind::kManifest;
  } else if (word == "blobs") {
    route.kind = Route::Kind::kBlob;
  } else if (word == "tags" && route.object == "list") {
    route.kind = Route::Kind::kList;
  } else if (word == "referrers") {
    route.kind = Route::Kind::kList;
    if (const auto digest = Digest::parse(route.object); !digest) return fail(digest.error());
  } else {
    return unknown();
  }

  std::string query;
  if (question != std::string_view::npos) {
    if (auto read = read_query(target.substr(question + 1), route.registry, query); !read) return fail(read.error());
  }
  if (route.registry.empty()) {
    return fail(Code::kNotFound,
                "the request names no registry: this mirror needs ?ns=<registry>, which containerd adds for hosts of a "
                "hosts.toml");
  }
  if (auto valid = oci::Reference::check_registry(route.registry); !valid) return fail(valid.error());
  if (auto valid = oci::Reference::check_repository(route.repository); !valid) return fail(valid.error());
  if (route.kind != Route::Kind::kList) {
    if (auto valid = check_object(route); !valid) return fail(valid.error());
  }
  route.path = std::string(word) + "/" + route.object + query;
  return route;
}

}  // namespace paceline::mirror
