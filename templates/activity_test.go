package templates

import (
	"testing"

	"github.com/abn-studio/studio/internal/words"
)

// The details of the trail's lines are said in the reader's language, and people's own words are left as they are.
func TestDetailsOfTheTrail(t *testing.T) {
	t.Parallel()
	japanese := words.With(t.Context(), words.Japanese)
	for _, c := range []struct{ action, detail, want string }{
		{"edit.reject", "too wide, missed a part: the tail, too tight (row 5, column 9: here; row 6, column 9)", "広すぎる, 一部が抜けている: the tail, too tight (5 行 9 列: here; 6 行 9 列)"},
		{"edit.reject", "(row 2, column 2: here)", "(2 行 2 列: here)"},
		{"edit.reject", "too wide", "広すぎる"},
		{"edit.reject", "too widely painted", "too widely painted"},
		{"edit.reject", "too wide, please", "広すぎる, please"},
		{"edit.approve", "with what was adopted", "採用に伴う判定"},
		{"edit.correct", "task 73, revision 2, which corrects revision 1", "タスク 73、リビジョン 2（リビジョン 1 を修正）"},
		{"edit.correct", "task 73, revision 2, which corrects revision 1: too wide: the tail", "タスク 73、リビジョン 2（リビジョン 1 を修正）: 広すぎる: the tail"},
		{"export.records", "maps as csv", "マップ（csv 形式）"},
		{"invitation.create", "annotator, birds: lead", "アノテーター, birds: リーダー"},
		{"member.add", "reviewer, by invitation", "レビュアー（招待による）"},
		{"member.change", "lead, was reviewer", "リーダー（以前は レビュアー）"},
		{"project.change", "50 % of tasks are checks, were 0 %; corrected maps wait for a second reviewer", "チェックの割合 50%（以前は 0%）; 修正されたマップは別のレビュアーの判定を待つ"},
		{"image.exclude", "1 held-out images that are like a training image within 0 bits", "学習画像と 0 ビット以内で似た評価用画像 1 枚"},
	} {
		if got := detailWords(japanese, c.action, c.detail); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.action, c.detail, got, c.want)
		}
		if got := detailWords(t.Context(), c.action, c.detail); c.action != "export.records" && got != c.detail {
			t.Errorf("%s %q in English: %q", c.action, c.detail, got)
		}
	}
}
