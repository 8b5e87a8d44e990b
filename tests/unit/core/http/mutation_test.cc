// Broken messages by the thousand. For each: no crash, the same events however it is split, and
// what is accepted was not ambiguous: a careless reader finds at most one framing field and no
// stray line end in the same bytes, and what is written from it reads back the same.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/unit/core/http/mutate.hh"
#include "tests/unit/core/http/split.hh"

namespace portolan::http::test {
namespace {

int mutation_count() {
  const char* text = std::getenv("PORTOLAN_MUTATIONS");
  return text ? std::atoi(text) : 20000;
}

// A message taken whole from the bytes, apart from the parser's own views.
struct Message {
  std::string raw_head;
  std::string start;   // the start line but its version
  std::string fields;  // but the framing ones
  Framing framing = Framing::none;
  std::string body;
  std::string trailers;
  bool has_host = false;
  bool ended = false;
  std::string written;  // by HeadWriter, with our own framing
};

std::string plain(const Fields& fields) {
  std::string out;
  for (const Field& f : fields) {
    if (f.id == FieldId::content_length || f.id == FieldId::transfer_encoding) continue;
    out += fmt::format("{}: {}\n", f.name, f.value);
  }
  return out;
}

void write_start(const RequestHead& h, Message& m, HeadWriter& w) {
  m.start = fmt::format("{} {} {}|{}|{}", h.method_text, h.target, h.authority, h.path, h.query);
  w.request_line(h.method_text, h.target);
}

void write_start(const ResponseHead& h, Message& m, HeadWriter& w) {
  m.start = fmt::format("{} {}", h.status, h.reason.empty() ? reason_phrase(h.status) : h.reason);
  w.status_line(h.status, h.reason);
}

void write_chunk(std::string& out, std::string_view data) {
  char header[18];
  out.append(header, chunk_header(header, data.size())).append(data).append("\r\n");
}

// All messages of `bytes`, up to the first error.
template <class Parser>
std::vector<Message> read_all(Parser& parser, std::string_view bytes) {
  std::vector<Message> out;
  for (;;) {
    Step step = parser.next(bytes);
    switch (step.event) {
      case Event::need_more:
      case Event::error:
        return out;
      case Event::head: {
        Message m;
        m.raw_head = bytes.substr(0, step.consumed);
        HeadWriter w(m.written);
        write_start(parser.head(), m, w);
        m.fields = plain(parser.head().fields);
        m.framing = parser.head().framing;
        m.has_host = parser.head().fields.has(FieldId::host);
        for (const Field& f : parser.head().fields) {
          if (f.id != FieldId::content_length && f.id != FieldId::transfer_encoding) w.field(f.name, f.value);
        }
        w.framing(m.framing, parser.head().content_length);
        w.end();
        out.push_back(std::move(m));
        break;
      }
      case Event::body:
        out.back().body += step.data;
        if (out.back().framing == Framing::chunked) {
          write_chunk(out.back().written, step.data);
        } else {
          out.back().written += step.data;
        }
        break;
      case Event::end:
        out.back().ended = true;
        out.back().trailers = plain(parser.trailers());
        if (out.back().framing == Framing::chunked) {
          out.back().written += "0\r\n";
          HeadWriter w(out.back().written);
          for (const Field& f : parser.trailers()) w.field(f.name, f.value);
          w.end();
        }
        break;
    }
    bytes.remove_prefix(step.consumed);
  }
}

// A reader that takes any line end, any white space, any case, '_' for '-': how many framing fields
// could it see?
int framing_fields_seen_carelessly(std::string_view head) {
  int count = 0;
  std::string line;
  for (char c : head) {
    if (c != '\n' && c != '\r') {
      if (c > ' ') line += c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      continue;
    }
    count += line.starts_with("content-length:") || line.starts_with("transfer-encoding:");
    line.clear();
  }
  return count;
}

bool has_stray_line_end(std::string_view head) {
  for (size_t i = 0; i < head.size(); ++i) {
    if (head[i] == '\n' && (i == 0 || head[i - 1] != '\r')) return true;
    if (head[i] == '\r' && (i + 1 == head.size() || head[i + 1] != '\n')) return true;
    if (head[i] == '\0') return true;
  }
  return false;
}

// Underscore names pass by default; a program behind that folds them to '-' is not this parser's to
// judge.
bool folds_underscores(std::string_view head) {
  return head.find('_') != std::string_view::npos;
}

template <class Read>
void expect_unambiguous(const Message& m, const std::string& input, Read read) {
  EXPECT_FALSE(has_stray_line_end(m.raw_head)) << input;
  if (!folds_underscores(m.raw_head)) {
    EXPECT_LE(framing_fields_seen_carelessly(m.raw_head), 1) << input;
  }
  if (!m.ended || m.framing == Framing::until_close) return;
  std::vector<Message> again = read(m.written);
  ASSERT_EQ(again.size(), 1u) << input << "\nwritten:\n" << m.written;
  EXPECT_EQ(again[0].start, m.start) << input;
  EXPECT_EQ(again[0].fields, m.fields) << input;
  EXPECT_EQ(again[0].framing, m.framing) << input;
  EXPECT_EQ(again[0].body, m.body) << input;
  EXPECT_EQ(again[0].trailers, m.trailers) << input;
  EXPECT_TRUE(again[0].ended) << input;
}

template <class Run>
void expect_same_when_split(Run run, const std::string& input, std::mt19937& random) {
  Record whole = run({});
  for (int i = 0; i < 3; ++i) {
    Record split = run(random_cuts(random, input.size()));
    ASSERT_TRUE(split == whole) << input << "\nwhole:\n" << whole.text << "\nsplit:\n" << split.text;
  }
  if (input.size() > 300) return;
  Record split = run(every_byte(input.size()));
  ASSERT_TRUE(split == whole) << input << "\nwhole:\n" << whole.text << "\nby byte:\n" << split.text;
}

TEST(Mutations, OfRequests) {
  Mutator mutator(20261);
  auto read = [](const std::string& bytes) {
    RequestParser parser;
    return read_all(parser, bytes);
  };
  int accepted = 0, refused = 0;
  for (int i = 0; i < mutation_count(); ++i) {
    std::string input = mutator.requests();
    mutator.mutate(input);
    auto run = [&](const std::vector<size_t>& cuts) { return run_request(input, cuts); };
    expect_same_when_split(run, input, mutator.random());
    (run({}).status ? refused : accepted)++;
    for (const Message& m : read(input)) {
      if (m.has_host) expect_unambiguous(m, input, read);  // HTTP/1.0 without Host is written as no 1.1 request
    }
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_GE(accepted, mutation_count() / 10);
  EXPECT_GE(refused, mutation_count() / 10);
}

TEST(Mutations, OfResponses) {
  Mutator mutator(20262);
  for (int i = 0; i < mutation_count(); ++i) {
    Method method = mutator.one_in(5) ? Method::head : Method::get;
    auto read = [method](const std::string& bytes) {
      ResponseParser parser;
      parser.start(method);
      return read_all(parser, bytes);
    };
    std::string input = mutator.responses();
    mutator.mutate(input);
    auto run = [&](const std::vector<size_t>& cuts) { return run_response(input, cuts, {}, method); };
    expect_same_when_split(run, input, mutator.random());
    for (const Message& m : read(input)) expect_unambiguous(m, input, read);
    if (testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace portolan::http::test
