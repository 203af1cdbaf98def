package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/text"
)

// exportSource is what an export of a kind reads. Its tables have the aliases i (images), v (versions), t (tasks), e (edits),
// r (reviews), p (predictions), a (audit) and u (users: who drew, holds or did it).
type exportSource struct {
	tables               string
	key                  string // the column by which the records are ordered
	project, state, made string // columns that the filter compares
	learned              string // the edit that a round learned from
}

// exportedEdits are the tables of a map without its image.
const exportedEdits = `edits e JOIN tasks t ON t.id = e.task_id JOIN versions v ON v.id = e.version_id JOIN users u ON u.id = e.author_id ` + correctedEdit

// Who painted a map, and who corrected it.
const exportedAuthors = `coalesce(painter.name, ` + editAuthor + `), CASE WHEN e.corrects IS NULL THEN '' ELSE u.name END`

var exportSources = map[annotator.ExportKind]exportSource{
	annotator.ExportMaps: {
		tables: exportedEdits + ` JOIN images i ON i.id = t.image_id`,
		key:    "i.id", project: "t.project_id", state: "e.state", made: "e.created_at", learned: "e.id",
	},
	annotator.ExportPredictions: {
		tables: `predictions p JOIN images i ON i.id = p.image_id JOIN versions v ON v.id = p.version_id`, key: "i.id", project: "v.project_id",
	},
	annotator.ExportReviews: {
		tables: `reviews r JOIN edits e ON e.id = r.edit_id JOIN tasks t ON t.id = e.task_id JOIN images i ON i.id = t.image_id
			JOIN versions v ON v.id = e.version_id JOIN users u ON u.id = e.author_id JOIN users j ON j.id = r.reviewer_id ` + correctedEdit,
		key: "r.id", project: "t.project_id", state: "e.state", made: "r.created_at", learned: "e.id",
	},
	annotator.ExportTasks: {
		tables: `tasks t JOIN images i ON i.id = t.image_id JOIN versions v ON v.id = t.version_id LEFT JOIN users u ON u.id = t.author_id LEFT JOIN users g ON g.id = t.assigned_to`,
		key:    "t.id", project: "t.project_id", state: "t.state", made: "t.created_at",
	},
	annotator.ExportAudit: {
		tables: `audit a LEFT JOIN users u ON u.id = a.actor_id`, key: "a.id", project: "a.project_id", made: "a.at",
	},
}

// conditions returns what a filter asks of the records. The service has checked that the kind has the fields that are set.
func (from exportSource) conditions(projectID int64, f annotator.ExportFilter) *clause {
	c := &clause{}
	c.add(from.project+` = $%d`, projectID)
	if len(f.States) > 0 {
		c.add(from.state+` = ANY($%d)`, f.States)
	}
	if len(f.Splits) > 0 {
		c.add(`i.split = ANY($%d)`, texts(f.Splits))
	}
	if f.Class != "" {
		c.add(`i.label IN (SELECT c.index FROM classes c WHERE c.project_id = i.project_id AND (c.key = $%[1]d OR c.name = $%[1]d))`, f.Class)
	}
	if f.Author != "" {
		// A list that answers to addresses it does not show would tell whose an address is: it does to admins, and to everybody for their own.
		by := func(name, person string) string {
			return name + ` = $%[1]d OR ($%[2]d OR ` + person + `.id = $%[3]d) AND lower(` + person + `.email) = lower($%[1]d)`
		}
		who := by("u.name", "u")
		switch {
		case from.key == "a.id":
			who = by("a.actor", "u")
		case from.learned != "": // also whose map a reviewer corrected
			who += ` OR ` + by("painter.name", "painter")
		}
		c.add(`(`+who+`)`, f.Author, f.Viewer.Role.May(annotator.RoleAdmin), f.Viewer.ID)
	}
	if from.learned != "" { // maps, and verdicts on them
		c.add(shown, f.Viewer.ID, f.Viewer.Role.May(annotator.RoleReviewer))
		if from.key == "i.id" && !f.Revisions {
			c.add(`t.slot = 0`)
		}
	}
	if f.Search != "" {
		c.add(`i.name ILIKE $%d`, likeName(f.Search))
	}
	if f.Round != 0 {
		c.add(`EXISTS (SELECT FROM round_edits re JOIN rounds ro ON ro.id = re.round_id WHERE re.edit_id = `+from.learned+` AND ro.project_id = t.project_id AND ro.number = $%d)`, f.Round)
	}
	if f.Version != 0 {
		c.add(`v.number = $%d`, f.Version)
	}
	if !f.Since.IsZero() {
		c.add(from.made+` >= $%d`, f.Since)
	}
	if !f.Until.IsZero() {
		c.add(from.made+` < $%d`, f.Until)
	}
	return c
}

// What is selected of images and versions, and of classes by their number.
const (
	exportedImage = `i.id, i.name, i.source, i.hash, i.split, coalesce((SELECT key FROM classes c WHERE c.project_id = i.project_id AND c.index = i.label), ''),
		i.group_name, i.width, i.height, v.number, v.model_hash`
	exportedAnswer = `coalesce((SELECT key FROM classes c WHERE c.project_id = i.project_id AND c.index = %s), '')`
)

func exportedFields(i *annotator.ExportedImage, v *annotator.ExportedVersion) []any {
	return []any{&i.ImageID, &i.Image, &i.Source, &i.SHA256, &i.Split, &i.Class, &i.Group, &i.Width, &i.Height, &v.Version, &v.ModelSHA256}
}

// exportPage reads a page of an export whose records are in the order of key. columns is what scan reads.
func exportPage[T any](ctx context.Context, s *Store, projectID int64, kind annotator.ExportKind, f annotator.ExportFilter, after int64, limit int,
	columns string, scan pgx.RowToFunc[T]) ([]T, error) {
	from := exportSources[kind]
	where := from.conditions(projectID, f)
	where.add(from.key+` > $%d`, after)
	where.args = append(where.args, limit)
	all, err := list(ctx, s, scan, fmt.Sprintf(`SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT $%d`, columns, from.tables, where.sql(), from.key, len(where.args)), where.args...)
	return all, wrap(err, "reading %s of project %d", kind, projectID)
}

// CountExport implements annotator.ExportStore.
func (s *Store) CountExport(ctx context.Context, projectID int64, kind annotator.ExportKind, f annotator.ExportFilter) (int, error) {
	from := exportSources[kind]
	where := from.conditions(projectID, f)
	counted := "*"
	if kind == annotator.ExportMaps && !f.Revisions {
		counted = "DISTINCT t.image_id"
	}
	n, err := one(ctx, s, pgx.RowTo[int], `SELECT count(`+counted+`) FROM `+from.tables+` WHERE `+where.sql(), where.args...)
	return n, wrap(err, "counting %s of project %d", kind, projectID)
}

// ExportMaps implements annotator.ExportStore. The maps of a page are selected first, then joined, so that only their cells are read.
// The latest map of an image is looked up image by image: to sort all maps for every page would take as long as there are maps.
func (s *Store) ExportMaps(ctx context.Context, projectID int64, f annotator.ExportFilter, after int64, limit int) ([]annotator.ExportedMap, error) {
	from := exportSources[annotator.ExportMaps]
	where := from.conditions(projectID, f)
	where.args = append(where.args, after, limit)
	last := len(where.args)
	page, order := fmt.Sprintf(`SELECT e.id FROM %s WHERE %s AND e.id > $%d ORDER BY e.id LIMIT $%d`, from.tables, where.sql(), last-1, last), `e.id`
	if !f.Revisions {
		page, order = fmt.Sprintf(`SELECT latest.id FROM images i CROSS JOIN LATERAL (
				SELECT e.id FROM %s WHERE t.image_id = i.id AND %s ORDER BY e.created_at DESC, e.id DESC LIMIT 1) latest
			WHERE i.project_id = $1 AND i.id > $%d ORDER BY i.id LIMIT $%d`, exportedEdits, where.sql(), last-1, last), `t.image_id`
	}
	all, err := list(ctx, s, scanExportedMap, fmt.Sprintf(`
		WITH page AS (%s)
		SELECT %s, e.map_height, e.map_width, e.map, e.marks, %s, u.generator, e.source, e.state, e.revision, t.id, e.id, t.state, %s, t.confidence,
			coalesce(j.name, ''), coalesce(r.comment, ''), coalesce(array_to_string(r.reasons, '; '), ''), coalesce(r.pins, '[]')::text, e.created_at, e.submitted_at, r.created_at,
			(SELECT array_agg(ro.number ORDER BY ro.number) FROM round_edits re JOIN rounds ro ON ro.id = re.round_id WHERE re.edit_id = e.id), e.provenance, t.handed_by, t.inside, t.label = t.predicted
		FROM %s LEFT JOIN reviews r ON r.edit_id = e.id AND r.taken_back_at IS NULL LEFT JOIN users j ON j.id = r.reviewer_id
		WHERE e.id = ANY (ARRAY(SELECT id FROM page)) ORDER BY %s`,
		page, exportedImage, exportedAuthors, fmt.Sprintf(exportedAnswer, "t.predicted"), from.tables, order), where.args...)
	return all, wrap(err, "reading maps of project %d", projectID)
}

func scanExportedMap(row pgx.CollectableRow) (m annotator.ExportedMap, err error) {
	var height, width int
	var cells, provenance []byte
	var pins string
	var inside *float32
	var right bool
	if err = row.Scan(append(exportedFields(&m.ExportedImage, &m.ExportedVersion), &height, &width, &cells, &m.Marks, &m.Author, &m.CorrectedBy, &m.Program, &m.Made, &m.State, &m.Revision,
		&m.TaskID, &m.EditID, &m.TaskState, &m.Predicted, &m.Confidence, &m.Reviewer, &m.Comment, &m.Reasons, &pins, &m.CreatedAt, &m.SubmittedAt, &m.ReviewedAt, &m.Rounds, &provenance, &m.HandedBy, &inside, &right)...); err != nil {
		return m, err
	}
	m.Why = annotator.Handing{Handed: annotator.Handed(m.HandedBy), Label: m.Class, Answer: m.Predicted, Right: right, Confidence: m.Confidence, Inside: inside, Assignee: m.Author}.Sentence()
	if m.Rounds == nil {
		m.Rounds = []int32{}
	}
	m.Pins = json.RawMessage(pins)
	m.Provenance, m.Origin, m.Hints = provenance, annotator.OriginOf(provenance).Words(), annotator.HintsOf(provenance).Words()
	utc(&m.CreatedAt, m.SubmittedAt, m.ReviewedAt)
	m.ExportedGrid, err = exportedGrid(height, width, cells)
	return m, err
}

func exportedGrid(height, width int, cells []byte) (annotator.ExportedGrid, error) {
	m, err := attention.FromBytes(height, width, cells)
	return annotator.ExportedGrid{Rows: height, Columns: width, Values: m.Values}, err
}

// utc gives times the zone in which they are written; nil stays.
func utc(times ...*time.Time) {
	for _, t := range times {
		if t != nil {
			*t = t.UTC()
		}
	}
}

// ExportPredictions implements annotator.ExportStore.
func (s *Store) ExportPredictions(ctx context.Context, projectID int64, f annotator.ExportFilter, after int64, limit int) ([]annotator.ExportedPrediction, error) {
	return exportPage(ctx, s, projectID, annotator.ExportPredictions, f, after, limit,
		exportedImage+`, p.map_height, p.map_width, p.map, `+fmt.Sprintf(exportedAnswer, "p.class")+`, p.confidence, p.correct, `+fmt.Sprintf(exportedAnswer, "p.att_class")+`, p.kept_classes, p.probabilities, (SELECT count(*)::int FROM classes WHERE project_id = $1)`,
		func(row pgx.CollectableRow) (p annotator.ExportedPrediction, err error) {
			var height, width, classes int
			var cells []byte
			var k kept
			if err = row.Scan(append(exportedFields(&p.ExportedImage, &p.ExportedVersion), &height, &width, &cells, &p.Predicted, &p.Confidence, &p.Correct, &p.AttentionClass, &k.classes, &k.values, &classes)...); err != nil {
				return p, err
			}
			p.Probabilities = k.of(classes, nil)
			p.ExportedGrid, err = exportedGrid(height, width, cells)
			return p, err
		})
}

// ExportReviews implements annotator.ExportStore.
func (s *Store) ExportReviews(ctx context.Context, projectID int64, f annotator.ExportFilter, after int64, limit int) ([]annotator.ExportedReview, error) {
	return exportPage(ctx, s, projectID, annotator.ExportReviews, f, after, limit,
		exportedImage+`, r.id, t.id, e.id, e.revision, `+exportedAuthors+`, j.name, r.verdict, r.comment, array_to_string(r.reasons, '; '), r.pins::text, r.rule, r.created_at`,
		func(row pgx.CollectableRow) (r annotator.ExportedReview, err error) {
			var pins string
			err = row.Scan(append(exportedFields(&r.ExportedImage, &r.ExportedVersion), &r.ReviewID, &r.TaskID, &r.EditID, &r.Revision, &r.Author, &r.CorrectedBy, &r.Reviewer, &r.Verdict, &r.Comment, &r.Reasons, &pins, &r.Rule, &r.At)...)
			r.Pins = json.RawMessage(pins)
			utc(&r.At)
			return r, err
		})
}

// ExportTasks implements annotator.ExportStore.
func (s *Store) ExportTasks(ctx context.Context, projectID int64, f annotator.ExportFilter, after int64, limit int) ([]annotator.ExportedTask, error) {
	return exportPage(ctx, s, projectID, annotator.ExportTasks, f, after, limit,
		exportedImage+`, t.id, t.state, coalesce(u.name, ''), `+fmt.Sprintf(exportedAnswer, "t.predicted")+`, t.confidence, coalesce(t.skip_reason, ''), t.returned,
			(SELECT count(*) FROM edits e WHERE e.task_id = t.id), t.created_at, t.updated_at, t.submitted_at, t.handed_by, coalesce(g.name, ''), t.inside, t.label = t.predicted`,
		func(row pgx.CollectableRow) (t annotator.ExportedTask, err error) {
			var inside *float32
			var right bool
			err = row.Scan(append(exportedFields(&t.ExportedImage, &t.ExportedVersion), &t.TaskID, &t.State, &t.Author, &t.Predicted, &t.Confidence, &t.SkipReason, &t.Returned,
				&t.Revisions, &t.CreatedAt, &t.UpdatedAt, &t.SubmittedAt, &t.HandedBy, &t.Assignee, &inside, &right)...)
			t.Why = annotator.Handing{Handed: annotator.Handed(t.HandedBy), Label: t.Class, Answer: t.Predicted, Right: right, Confidence: t.Confidence, Inside: inside, Assignee: t.Assignee}.Sentence()
			utc(&t.CreatedAt, &t.UpdatedAt, t.SubmittedAt)
			return t, err
		})
}

// ExportAudit implements annotator.ExportStore.
func (s *Store) ExportAudit(ctx context.Context, projectID int64, f annotator.ExportFilter, after int64, limit int) ([]annotator.ExportedLine, error) {
	return exportPage(ctx, s, projectID, annotator.ExportAudit, f, after, limit, `a.id, a.at, a.actor, a.action, a.subject, a.detail`,
		func(row pgx.CollectableRow) (l annotator.ExportedLine, err error) {
			err = row.Scan(&l.ID, &l.At, &l.Actor, &l.Action, &l.Subject, &l.Detail)
			utc(&l.At)
			return l, err
		})
}

// likeName is the pattern of names that contain a text, likeStart of those that begin with it.
func likeName(search string) string { return "%" + likeStart(search) }

func likeStart(prefix string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text.NFC(prefix)) + "%"
}
