package words_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"

	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/internal/words"
)

func japanese(t *testing.T) context.Context {
	t.Helper()
	return words.With(t.Context(), words.Japanese)
}

// The figures of pages are written without asking for the language, since CLDR writes them alike in both.
func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, l := range words.Languages {
		printer := message.NewPrinter(language.MustParse(string(l)))
		for _, n := range []int{0, 999, 1120, 1234567} {
			if want := printer.Sprint(number.Decimal(n)); text.Count(n) != want {
				t.Errorf("%s: %d is %s, CLDR writes %s", l, n, text.Count(n), want)
			}
		}
		if got := printer.Sprint(number.Percent(0.724, number.Scale(1))); got != "72.4%" {
			t.Errorf("%s: per cent: %s", l, got)
		}
		if got := printer.Sprint(number.Decimal(0.72)); got != "0.72" {
			t.Errorf("%s: decimals: %s", l, got)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		at                time.Time
		english, japanese string
	}{
		{now.Add(-5 * time.Second), "just now", "たった今"},
		{now.Add(-5 * time.Minute), "5 min ago", "5分前"},
		{now.Add(-3 * time.Hour), "3 h ago", "3時間前"},
		{now.Add(-72 * time.Hour), "3 days ago", "3日前"},
		{now.Add(-90 * 24 * time.Hour), "1 Sep 2026", "2026年9月1日"},
		{now.Add(10 * time.Minute), "in 10 min", "10分後"},
	} {
		if got := words.Ago(t.Context(), c.at, now); got != c.english {
			t.Errorf("%q, want %q", got, c.english)
		}
		if got := words.Ago(japanese(t), c.at, now); got != c.japanese {
			t.Errorf("%q, want %q", got, c.japanese)
		}
	}
	for seconds, want := range map[float64][2]string{
		4.21: {"4.2 s", "4.2秒"}, 48: {"48 s", "48秒"}, 200: {"3 min", "3分"}, 4800: {"1 h 20 min", "1時間20分"}, -1: {"–", "–"},
	} {
		if got := words.Seconds(t.Context(), seconds); got != want[0] {
			t.Errorf("%v: %q, want %q", seconds, got, want[0])
		}
		if got := words.Seconds(japanese(t), seconds); got != want[1] {
			t.Errorf("%v: %q, want %q", seconds, got, want[1])
		}
	}
	if got := words.Moment(japanese(t), now); got != "2026年11月30日 12:00:00 UTC" {
		t.Errorf("a moment: %q", got)
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ got, want string }{
		{words.T(t.Context(), "{n} of {total}", "n", 3, "total", 1120), "3 of 1,120"},
		{words.T(japanese(t), "{n} of {total}", "n", 3, "total", 1120), "3 / 1,120"},
		{words.T(t.Context(), "{a}", "a", "{b}", "b", "c"), "{b}"}, // what stands for one is not looked through for another
		{words.T(japanese(t), "no such key"), "no such key"},
		{words.N(t.Context(), 1, "{n} thing", "{n} things"), "1 thing"},
		{words.N(t.Context(), 1120, "{n} thing", "{n} things"), "1,120 things"},
		{words.Sentence(t.Context(), "it is gone"), "It is gone."},
		{words.Sentence(japanese(t), "ありません"), "ありません。"},
		{words.Sentence(t.Context(), "really?"), "Really?"},
		{words.Capital("été"), "Été"}, {words.Capital("x"), "X"}, {words.Capital(""), ""}, {words.Capital("保存済み"), "保存済み"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// A sentence that another package made is found by its format, with its arguments, and in a chain of errors.
// A name that turns the direction of text turns no more than itself.
func TestNamesAreIsolated(t *testing.T) {
	t.Parallel()
	if got, want := words.T(t.Context(), "You judged {name}: approved", "name", "dove\u202Egnorts"), "You judged \u2068dove\u202Egnorts\u2069: approved"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := words.T(t.Context(), "by {name}", "name", "نورس"); got != "by نورس" {
		t.Errorf("%q: the marks are for those alone who need them", got)
	}
}

func TestSay(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"not found": "見つかりません",
		"The network says jug with handle with 93%: confidently wrong": "ネットワークの答えは jug with handle（93%）: 確信して間違えている",
		"too many failed sign-ins: try again in 12 s":                  "サインインの失敗が多すぎます。12 秒後にもう一度お試しください",
		"10 % of images painted by 2 people each (seed 1)":             "画像の 10% を 2 人ずつで描きます（シード 1）",
		"nobody has written this":                                      "nobody has written this",
		"Maps were worth +3.1 points of accuracy (95% 0.8 to 5.4, 1,120 images, 3 seeds) over the control: 0.5 points per edit.": "マップの効果: 対照に対して正解率 +3.1 ポイント（95% 区間 0.8～5.4、画像 1,120 枚、3 シード）。修正 1 件あたり 0.5 ポイント。",
		"Maps were worth +3.1 points of accuracy (95% 0.8 to 5.4, 1 image) over the control.":                                    "マップの効果: 対照に対して正解率 +3.1 ポイント（95% 区間 0.8～5.4、画像 1 枚）。",
		"No clear difference in accuracy: the candidate has +0.8 points (95% −0.2 to 1.8, 10 images) against the control.":       "正解率に明らかな差はありません: 候補は対照に対して +0.8 ポイント（95% 区間 −0.2～1.8、画像 10 枚）。",
		"stops early after 5":                          "5 エポックで早期終了",
		"nobody has: not found":                        "nobody has: not found",
		"test/0.png: split test → pool":                "test/0.png: 分割 テスト → プール",
		"main: 14 added, 0 the same; 1 cannot be read": "main: 追加 14、変更なし 0; 読み込めません 1",
		`"x" is no number of anything: not found`:      `"x" は番号ではありません: 見つかりません`,
	} {
		if got := words.Say(japanese(t), said); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got := words.Say(t.Context(), said); got != said {
			t.Errorf("in English %q", got)
		}
	}
}

// What people typed is no work, though it be nothing but what joins errors: the time would double with each joint.
func TestSayOfNothingButJoints(t *testing.T) {
	t.Parallel()
	for _, piece := range []string{"zz: ", "not found: ", "; "} {
		if typed := strings.Repeat(piece, 200) + "x"; words.Say(japanese(t), typed) != typed {
			t.Errorf("%q was found", piece)
		}
	}
}
