#include "core/conf/load.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <tuple>

#include "core/conf/words.hh"

namespace portolan::conf {
namespace {

constexpr size_t largest_file = 16u << 20;
constexpr int deepest_include = 16;

Result<std::string> slurp(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return system_error("cannot open " + path);
  struct stat status {};
  Result<std::string> out = std::string();
  if (::fstat(fd, &status) == 0 && !S_ISREG(status.st_mode)) {
    out = Error{"cannot read " + path + ": not a file", EISDIR};
  } else {
    char buffer[16384];
    ssize_t n = 0;
    while ((n = ::read(fd, buffer, sizeof buffer)) > 0 && out->size() <= largest_file)
      out->append(buffer, static_cast<size_t>(n));
    if (n < 0)
      out = system_error("cannot read " + path);
    else if (out->size() > largest_file)
      out = Error{"cannot read " + path + ": larger than 16 MiB", EFBIG};
  }
  ::close(fd);
  return out;
}

std::string canonical(const std::string& path) {
  char* real = ::realpath(path.c_str(), nullptr);
  std::string out = real ? real : path;
  std::free(real);
  return out;
}

std::vector<std::string> matches(const std::string& pattern) {
  std::vector<std::string> out;
  glob_t found{};
  if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0)
    out.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  std::sort(out.begin(), out.end());
  return out;
}

class Reader {
 public:
  explicit Reader(Tree& tree) : tree_(tree) {}

  // `from` is the include entry that named the file, or null for the first.
  void read(const std::string& path, const Place* from, int depth) {
    std::string real = canonical(path);
    if (std::find(real_.begin(), real_.end(), real) != real_.end())
      return error(from, fmt::format("{} is included twice", path));
    if (depth > deepest_include) return error(from, "files include one another too deeply");
    real_.push_back(real);
    tree_.files.push_back(path);
    Result<std::string> text = slurp(path);
    if (!text) return from ? error(from, text.error().text) : fail(path + ":1:1: " + text.error().text);
    Result<Value> value = parse(*text, path);
    if (!value) return fail(value.error().text);
    if (!from) tree_.root.where = value->where;
    Value include = take_include(*value);
    join(tree_.root, *value, "");
    follow(include, path, depth);
  }

 private:
  void fail(std::string text) { tree_.errors.push_back(std::move(text)); }
  void error(const Place* where, const std::string& what) {
    fail((where ? where->text() : tree_.files.front() + ":1:1") + ": " + what);
  }

  Value take_include(Value& root) {
    Value include;
    include.kind = Value::Kind::array;
    for (auto it = root.members.begin(); it != root.members.end(); ++it) {
      if (it->key != "include") continue;
      include = std::move(it->value);
      root.members.erase(it);
      break;
    }
    return include;
  }

  void follow(const Value& include, const std::string& path, int depth) {
    if (include.kind != Value::Kind::array)
      return error(&include.where, "include is a list of file names or patterns, as in [\"conf.d/*.toml\"]");
    size_t slash = path.rfind('/');
    std::string directory = slash == std::string::npos ? "" : path.substr(0, slash + 1);
    for (const Value& item : include.items) {
      if (item.kind != Value::Kind::string || item.string.empty() || item.string.find('\0') != std::string::npos) {
        error(&item.where, "include is a list of file names or patterns, as in [\"conf.d/*.toml\"]");
        continue;
      }
      std::string pattern = item.string[0] == '/' ? item.string : directory + item.string;
      std::vector<std::string> files = matches(pattern);
      if (files.empty() && pattern.find_first_of("*?[") == std::string::npos)
        error(&item.where, "cannot open " + pattern + ": no such file");
      for (const std::string& file : files) read(file, &item.where, depth + 1);
    }
  }

  void join(Value& into, Value& from, const std::string& context) {
    for (Member& member : from.members) {
      auto it =
          std::find_if(into.members.begin(), into.members.end(), [&](const Member& m) { return m.key == member.key; });
      if (it == into.members.end()) {
        into.members.push_back(std::move(member));
        continue;
      }
      Value &a = it->value, &b = member.value;
      std::string path = context + key_text(member.key);
      if (a.kind == Value::Kind::table && b.kind == Value::Kind::table) {
        join(a, b, path + ".");
      } else if (a.sections && b.sections) {
        std::move(b.items.begin(), b.items.end(), std::back_inserter(a.items));
      } else {
        error(&member.where, fmt::format("{} is set twice; first at {}", path, it->where.text()));
      }
    }
  }

  Tree& tree_;
  std::vector<std::string> real_;
};

// (index of the file, line, column) of "file:line:col: …"; what doesn't begin with a known file
// sorts last.
std::tuple<size_t, uint32_t, uint32_t> position(const std::string& error, const std::vector<std::string>& files) {
  size_t best = files.size();
  for (size_t i = 0; i < files.size(); ++i)
    if (error.compare(0, files[i].size() + 1, files[i] + ":") == 0 &&
        (best == files.size() || files[i].size() > files[best].size()))
      best = i;
  if (best == files.size()) return {best, 0, 0};
  const char* end = error.data() + error.size();
  uint32_t line = 0, column = 0;
  auto [p, bad] = std::from_chars(error.data() + files[best].size() + 1, end, line);
  if (bad == std::errc() && p < end && *p == ':') std::from_chars(p + 1, end, column);
  return {best, line, column};
}

}  // namespace

Tree read(const std::string& path) {
  Tree tree;
  tree.root.where.file = std::make_shared<const std::string>(path);
  Reader(tree).read(path, nullptr, 0);
  return tree;
}

void sort_errors(std::vector<std::string>& errors, const std::vector<std::string>& files) {
  std::stable_sort(errors.begin(), errors.end(),
                   [&](const std::string& a, const std::string& b) { return position(a, files) < position(b, files); });
  errors.erase(std::unique(errors.begin(), errors.end()), errors.end());
}

}  // namespace portolan::conf
