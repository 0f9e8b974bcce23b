#include "plugin/mirror/paging.h"

#include "plugin/base/text.h"

namespace paceline::mirror {

std::string next_page(std::string_view upstream, const Route& route) {
  const auto open = upstream.find('<');
  const auto close = upstream.find('>', open);
  if (open == std::string_view::npos || close == std::string_view::npos) return {};
  const auto parameters = upstream.substr(close + 1);
  if (parameters.find("rel=\"next\"") == std::string_view::npos &&
      parameters.find("rel=next") == std::string_view::npos) {
    return {};
  }
  // Which page it is stands in the query; the rest is where we asked, whatever the upstream's own path.
  const auto target = upstream.substr(open + 1, close - open - 1);
  const auto mark = target.find('?');
  const auto query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  std::string link = "</v2/" + route.repository + "/" + route.path.substr(0, route.path.find('?')) + "?";
  for (const auto& part : split(query, '&')) {
    if (!part.empty() && !part.starts_with("ns=")) link.append(part).append("&");
  }
  return link + "ns=" + route.registry + ">; rel=\"next\"";
}

}  // namespace paceline::mirror
