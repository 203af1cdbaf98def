package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/abn-studio/studio/annotator"
)

// archiveTable says how the rows of a table become those of an archive, and the other way round.
type archiveTable struct {
	name    string // in the archive
	of      string // the table of the database
	where   string // which of its rows t are the project's ($1)
	order   string // of rows without a number
	numbers bool   // its rows have numbers in the archive, by which others name them
	ahead   bool   // rows before its own name them
	project bool   // it has a column project_id
	columns []archiveColumn
}

// archiveColumn is a column: out is its value in the archive, of a row t; in is its value in the table, of a row r of the archive.
// anonymous is its value in an archive that names nobody, where that is another.
type archiveColumn struct{ name, out, in, anonymous string }

// plain are columns that are the same on both sides.
func plain(names string) (all []archiveColumn) {
	for name := range strings.FieldsSeq(names) {
		all = append(all, archiveColumn{name: name, out: "t." + name, in: "r." + name})
	}
	return all
}

// orElse is a column that archives of older releases do not have, and what it is then.
func orElse(name, otherwise string) archiveColumn {
	return archiveColumn{name: name, out: "t." + name, in: "coalesce(r." + name + ", " + otherwise + ")"}
}

// refers is a column that names a row of another table. A number that is not there becomes -1, which foreign keys refuse.
func refers(column, table string) archiveColumn {
	return archiveColumn{name: column,
		out: fmt.Sprintf("(SELECT n FROM archive_%s m WHERE m.id = t.%s)", table, column),
		in:  fmt.Sprintf("CASE WHEN r.%[2]s IS NOT NULL THEN coalesce((SELECT id FROM archive_%[1]s m WHERE m.n = r.%[2]s), -1) END", table, column)}
}

// assignment is a column of a task's assignment, which comes in only where the person can paint here: nobody else would be offered the task.
func assignment(column, value string) archiveColumn {
	c := archiveColumn{name: column, out: "t." + column,
		in: "(SELECT " + value + " FROM archive_people m JOIN users u ON u.id = m.id WHERE m.n = r.assigned_to AND NOT u.generator AND NOT u.disabled)"}
	if column == "assigned_to" {
		c.out = refers(column, "people").out
	}
	return c
}

// verbatim is a column of type json, whose text stays as it is: in the archive it is a string.
func verbatim(column string) archiveColumn {
	return archiveColumn{name: column, out: "t." + column + "::text", in: "(r." + column + " #>> '{}')::json"}
}

// named are the ids of images within a column of type jsonb.
func named(column, path string) archiveColumn {
	replace := func(row, direction string) string {
		value := row + "." + column
		for field := range strings.FieldsSeq(path) {
			value = fmt.Sprintf("jsonb_set(%s, '{%s}', coalesce(pg_temp.archive_images_%s(%s.%s->'%s'), 'null'), false)", value, field, direction, row, column, field)
		}
		return value
	}
	return archiveColumn{name: column, out: replace("t", "out"), in: replace("r", "in")}
}

// called is the name of a person in a column of its own, beside their number.
func called(column, person string) archiveColumn {
	return archiveColumn{name: column, out: "t." + column, in: "r." + column,
		anonymous: fmt.Sprintf("coalesce((SELECT 'Annotator ' || n FROM archive_people m WHERE m.id = t.%s), t.%s)", person, column)}
}

// subject is what a line of the trail is about: "image 41".
func subject() archiveColumn {
	out, in := "CASE", "CASE"
	for kind, table := range map[string]string{"image": "images", "task": "tasks", "edit": "edits", "version": "versions", "round": "rounds", "user": "people"} {
		number := func(row string) string { return fmt.Sprintf(`substring(%s.subject FROM '^%s (\d{1,18})$')`, row, kind) }
		out += fmt.Sprintf(" WHEN %[1]s IS NOT NULL THEN coalesce((SELECT '%[2]s ' || n FROM archive_%[3]s WHERE id = %[1]s::bigint), t.subject || ' (not archived)')", number("t"), kind, table)
		in += fmt.Sprintf(" WHEN %[1]s IS NOT NULL THEN coalesce((SELECT '%[2]s ' || id FROM archive_%[3]s WHERE n = %[1]s::bigint), r.subject)", number("r"), kind, table)
	}
	return archiveColumn{name: "subject", out: out + " ELSE t.subject END", in: in + " ELSE r.subject END",
		anonymous: out + " WHEN t.action = 'image.import' THEN 'a data set' ELSE t.subject END"} // a folder of somebody's
}

const ofProject = "t.project_id = $1"

var leased = literal(annotator.TaskTransitions.To(annotator.EventTake))

// ended is a task's column as it is once its lease is over (annotator.Task.Expire).
func ended(column, returned, open string) archiveColumn {
	return archiveColumn{name: column, out: "CASE WHEN t.state <> " + leased + " THEN t." + column + " WHEN t.returned THEN " + returned + " ELSE " + open + " END", in: "r." + column}
}

var archiveTables = []archiveTable{
	{name: annotator.ArchiveProject, of: "projects", where: "t.id = $1", order: "t.id", columns: append(plain("slug name description created_at start_method start_radius feedback second_reviewer mix review_share newcomer_maps"), orElse("overlap_share", "0"), orElse("overlap_painters", "2"), orElse("overlap_seed", "1"), orElse("check_share", "0"))},
	{name: "classes", of: "classes", where: ofProject, order: "t.index", project: true, columns: plain("index key name")},
	{name: "people", of: "users", numbers: true, columns: []archiveColumn{
		{name: "email", out: "coalesce(nullif(t.came_as, ''), t.email)", anonymous: "'annotator-' || o.n || '@' || current_setting('studio.archive') || '.invalid'"},
		{name: "name", out: "t.name", anonymous: "'Annotator ' || o.n"}, {name: "program", out: "t.generator AND t.came_as = ''"},
	}},
	{name: annotator.ArchiveImages, of: "images", where: ofProject, numbers: true, project: true, columns: plain("source name split label source_label group_name hash mask_hash width height " +
		"broken retired_at retired_why purged_at left_out fingerprint created_at")},
	{name: "image_clicks", of: "image_clicks", where: "t.image_id IN (SELECT id FROM archive_images)", order: "t.image_id", columns: append(plain("places"), refers("image_id", "images"))},
	{name: "versions", of: "versions", where: ofProject, numbers: true, project: true, columns: append(plain("number state model_hash extractor_hash manifest grid_height grid_width gain "+
		"parameters bytes learning_rate figures scanned created_at activated_at archived_at training warnings"), refers("parent_id", "versions"), refers("round_id", "rounds"))},
	{name: "rounds", of: "rounds", where: ofProject + " AND t.state = ANY ($2)", numbers: true, ahead: true, project: true, columns: append(plain("number state settings "+
		"edits images attempt progress error created_at started_at cancel_requested_at finished_at"), refers("parent_version", "versions"), refers("started_by", "people"),
		named("result", "fixed broken moved"), named("unreadable", "images"), called("started_by_name", "started_by"), archiveColumn{name: "last_image_id",
			out: "(SELECT coalesce(max(n), 0) FROM archive_images m WHERE m.id <= t.last_image_id)", in: "(SELECT coalesce(max(id), 0) FROM archive_images m WHERE m.n <= r.last_image_id)"})},
	{name: "round_points", of: "round_events", where: "t.kind = 'point' AND t.round_id IN (SELECT id FROM archive_rounds)", order: "t.id",
		columns: append(plain("kind arm step"), archiveColumn{name: "seed", out: "t.seed", in: "coalesce(r.seed, 0)"}, refers("round_id", "rounds"), verbatim("body"))},
	{name: "round_rows", of: "round_rows", where: "t.round_id IN (SELECT id FROM archive_rounds)", order: "t.round_id",
		columns: append(plain("packed"), refers("round_id", "rounds"), named("images", "judged shown"))},
	{name: "predictions", of: "predictions", where: "t.version_id IN (SELECT id FROM archive_versions)", order: "t.version_id, t.image_id", columns: append(plain("class confidence correct "+
		"att_class top_classes top_values kept_classes probabilities map_height map_width map"), refers("version_id", "versions"), refers("image_id", "images"))},
	{name: "tasks", of: "tasks", where: ofProject, numbers: true, project: true, columns: append(plain("returned skip_reason label predicted confidence submitted_at created_at updated_at confusion_place diverse_place reason_place inside"),
		orElse("slot", "0"), orElse("is_check", "false"), refers("painter_id", "people"), orElse("made_right", "false"), orElse("handed_by", "''"), orElse("chance", "random()"), assignment("assigned_to", "m.id"), assignment("assigned_at", "r.assigned_at"),
		refers("image_id", "images"), refers("version_id", "versions"), ended("state", literal(annotator.TaskTransitions.To(annotator.EventGiveBackDue)), literal(annotator.TaskTransitions.To(annotator.EventGiveBack))),
		archiveColumn{name: "author_id", out: "CASE WHEN t.state <> " + leased + " OR t.returned THEN (SELECT n FROM archive_people m WHERE m.id = t.author_id) END", in: refers("author_id", "people").in})},
	{name: "edits", of: "edits", where: "t.task_id IN (SELECT id FROM archive_tasks)", numbers: true, columns: append(plain("revision state source map_height map_width map created_at "+
		"submitted_at judged_at corrects"), archiveColumn{name: "marks", out: "t.marks", in: "coalesce(r.marks, '')"}, refers("task_id", "tasks"), refers("author_id", "people"), refers("version_id", "versions"), verbatim("provenance"), verbatim("before"), verbatim("after"))},
	{name: "edit_sources", of: "edit_sources", where: "t.edit_id IN (SELECT id FROM archive_edits)", order: "t.edit_id, t.source_id",
		columns: []archiveColumn{refers("edit_id", "edits"), refers("source_id", "edits")}},
	{name: "check_scores", of: "check_scores", where: "t.edit_id IN (SELECT id FROM archive_edits)", order: "t.edit_id", columns: append(plain("inside area pointing"), refers("edit_id", "edits"))},
	{name: "edit_histories", of: "edit_histories", where: "t.task_id IN (SELECT id FROM archive_tasks)", order: "t.task_id", columns: append(plain("revision"), refers("task_id", "tasks"), verbatim("history"))},
	{name: "reviews", of: "reviews", where: "t.edit_id IN (SELECT id FROM archive_edits)", numbers: true, columns: append(plain("verdict comment created_at taken_back_at"), archiveColumn{name: "reasons", out: "t.reasons", in: "coalesce(r.reasons, '{}')"}, orElse("rule", "''"), orElse("pins", "'[]'"),
		refers("edit_id", "edits"), refers("reviewer_id", "people"), refers("taken_back_by", "people"))},
	{name: "draws", of: "draws", where: "t.edit_id IN (SELECT id FROM archive_edits)", order: "t.edit_id", columns: append(plain("share place why"), refers("edit_id", "edits"))},
	{name: "round_edits", of: "round_edits", where: "t.round_id IN (SELECT id FROM archive_rounds)", order: "t.round_id, t.image_id",
		columns: []archiveColumn{refers("round_id", "rounds"), refers("image_id", "images"), refers("edit_id", "edits")}},
	{name: "label_verdicts", of: "label_verdicts", where: ofProject, numbers: true, project: true, columns: append(plain("state says class was comment created_at review_comment judged_at"),
		refers("image_id", "images"), refers("author_id", "people"), refers("reviewer_id", "people"))},
	{name: "label_changes", of: "label_changes", where: "t.image_id IN (SELECT id FROM archive_images)", order: "t.id", columns: append(plain("at was became left_out cause"),
		refers("image_id", "images"), refers("verdict_id", "label_verdicts"))},
	{name: "audit", of: "audit", where: ofProject, order: "t.id", project: true, columns: append(plain("at action detail"), called("actor", "actor_id"), refers("actor_id", "people"), subject())},
}

func literal[T ~string](word T) string { return "'" + string(word) + "'" }

// overRounds are the states of rounds that an archive has.
func overRounds() (all []string) {
	for _, state := range annotator.RoundStates {
		if state.Over() {
			all = append(all, string(state))
		}
	}
	return all
}

// archiveImagesFunction translates a list of images' ids, or of objects that have one.
const archiveImagesFunction = `
	CREATE OR REPLACE FUNCTION pg_temp.archive_images_%[1]s(list jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
		SELECT CASE WHEN jsonb_typeof(list) <> 'array' THEN list ELSE (
			SELECT coalesce(jsonb_agg(CASE jsonb_typeof(x.v) WHEN 'object' THEN jsonb_set(x.v, '{id}', to_jsonb(m.%[3]s)) ELSE to_jsonb(m.%[3]s) END ORDER BY x.o), '[]')
			FROM jsonb_array_elements(list) WITH ORDINALITY x(v, o)
			JOIN archive_images m ON m.%[2]s = (CASE jsonb_typeof(x.v) WHEN 'object' THEN x.v->>'id' ELSE x.v #>> '{}' END)::bigint) END
	$$`

// archivePeople are the ids of those that rows of the project name.
const archivePeople = `
	SELECT unnest(ARRAY[author_id, painter_id, assigned_to]) FROM tasks WHERE project_id = $1
	UNION SELECT e.author_id FROM edits e JOIN tasks t ON t.id = e.task_id WHERE t.project_id = $1
	UNION SELECT unnest(ARRAY[r.reviewer_id, r.taken_back_by]) FROM reviews r JOIN edits e ON e.id = r.edit_id JOIN tasks t ON t.id = e.task_id WHERE t.project_id = $1
	UNION SELECT started_by FROM rounds WHERE project_id = $1 AND state = ANY ($2)
	UNION SELECT unnest(ARRAY[author_id, reviewer_id]) FROM label_verdicts WHERE project_id = $1
	UNION SELECT actor_id FROM audit WHERE project_id = $1`

// PackProject implements annotator.ArchiveStore. The rows are of one snapshot, which is held until the last has been handed over.
func (s *Store) PackProject(ctx context.Context, projectID int64, anonymous bool, row func(table string, row []byte) error) (files []annotator.ArchiveFile, err error) {
	tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return nil, wrap(unlessAway(err), "reading project %d", projectID)
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if _, err := tx.Exec(ctx, `SELECT set_config('studio.archive', gen_random_uuid()::text, true)`); err != nil {
		return nil, wrap(unlessAway(err), "reading project %d", projectID)
	}
	for _, t := range archiveTables {
		if err := packNumbers(ctx, tx, t, projectID, anonymous); err != nil {
			return nil, wrap(unlessAway(err), "numbering the %s of project %d", t.name, projectID)
		}
	}
	for direction, by := range map[string][2]string{"out": {"id", "n"}, "in": {"n", "id"}} {
		if _, err := tx.Exec(ctx, fmt.Sprintf(archiveImagesFunction, direction, by[0], by[1])); err != nil {
			return nil, wrap(unlessAway(err), "reading project %d", projectID)
		}
	}
	for _, t := range archiveTables {
		if err := packTable(ctx, tx, t, projectID, anonymous, row); err != nil {
			return nil, wrap(unlessAway(err), "reading the %s of project %d", t.name, projectID)
		}
	}
	rows, err := tx.Query(ctx, `
		SELECT DISTINCT ON (big, hash) * FROM (
			SELECT hash, 'the image ' || name AS use, true AS big FROM images WHERE project_id = $1 AND purged_at IS NULL AND broken = ''
			UNION ALL SELECT mask_hash, 'the mask of ' || name, true FROM images WHERE project_id = $1 AND mask_hash <> ''
			UNION ALL SELECT model_hash, 'the model of version ' || number, false FROM versions WHERE project_id = $1) f
		ORDER BY big, hash, use`, projectID)
	if err == nil {
		files, err = pgx.CollectRows(rows, pgx.RowToStructByName[annotator.ArchiveFile])
	}
	return files, wrap(unlessAway(err), "listing the files of project %d", projectID)
}

// unlessAway makes an error of a database that is away one of annotator's.
func unlessAway(err error) error {
	if away(err) {
		return unavailable(err)
	}
	return full(err)
}

// packNumbers gives the rows of a table their numbers in the archive, in a table of the transaction.
func packNumbers(ctx context.Context, tx pgx.Tx, t archiveTable, projectID int64, anonymous bool) error {
	if !t.numbers {
		return nil
	}
	order, where := "t.id", "t.id IN (SELECT t.id FROM "+t.of+" t WHERE "+t.where+")"
	if t.name == "people" { // in an order that another studio has too
		order, where = `lower(coalesce(nullif(t.came_as, ''), t.email)) COLLATE "C"`, "t.id IN ("+archivePeople+")"
		if anonymous { // or the numbers were in the order of addresses
			order = "random()"
		}
	}
	var args []any
	if strings.Contains(where, "$1") {
		args = append(args, projectID)
	}
	if strings.Contains(where, "$2") {
		args = append(args, overRounds())
	}
	if _, err := tx.Exec(ctx, "CREATE TEMP TABLE archive_"+t.name+" (n bigint NOT NULL, id bigint PRIMARY KEY) ON COMMIT DROP"); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO archive_"+t.name+" SELECT row_number() OVER (ORDER BY "+order+"), t.id FROM "+t.of+" t WHERE "+where, args...); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "CREATE INDEX ON archive_"+t.name+" (n); ANALYZE archive_"+t.name)
	return err
}

// packTable hands over a table's rows, one at a time as they come from the server.
func packTable(ctx context.Context, tx pgx.Tx, t archiveTable, projectID int64, anonymous bool, row func(table string, row []byte) error) error {
	var fields []string
	from, where, order := t.of+" t", t.where, t.order
	if t.numbers {
		fields = append(fields, "'id', o.n")
		from, where, order = from+" JOIN archive_"+t.name+" o ON o.id = t.id", "true", "o.n"
	}
	for _, c := range t.columns {
		out := c.out
		if anonymous && c.anonymous != "" {
			out = c.anonymous
		}
		fields = append(fields, "'"+c.name+"', "+out)
	}
	var args []any
	if strings.Contains(where, "$1") {
		args = append(args, projectID)
	}
	rows, err := tx.Query(ctx, "SELECT json_build_object("+strings.Join(fields, ", ")+")::text FROM "+from+" WHERE "+where+" ORDER BY "+order, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(t.name, rows.RawValues()[0]); err != nil {
			return err
		}
	}
	return rows.Err()
}

// How many rows, and how many bytes of them, a statement writes.
const (
	unpackRows  = 500
	unpackBytes = 4 << 20
)

// UnpackProject implements annotator.ArchiveStore.
func (s *Store) UnpackProject(ctx context.Context, slug, name string, rows func(table string, row func([]byte) error) error) (annotator.Project, error) {
	var project annotator.Project
	err := s.inTx(ctx, func(tx *Store) error {
		if _, err := tx.q.Exec(ctx, `SELECT set_config('studio.unpacking', 'on', true)`); err != nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `SET CONSTRAINTS versions_round_fk DEFERRED`); err != nil {
			return err
		}
		for _, t := range archiveTables {
			if !t.numbers {
				continue
			}
			if _, err := tx.q.Exec(ctx, "CREATE TEMP TABLE archive_"+t.name+" (n bigint PRIMARY KEY, id bigint NOT NULL UNIQUE) ON COMMIT DROP"); err != nil {
				return err
			}
		}
		if _, err := tx.q.Exec(ctx, fmt.Sprintf(archiveImagesFunction, "in", "n", "id")); err != nil {
			return err
		}
		for _, t := range archiveTables {
			if t.ahead {
				if err := tx.unpack(ctx, t, rows, func(batch string) error { return tx.unpackNumbers(ctx, t, batch) }); err != nil {
					return err
				}
			}
		}
		for _, t := range archiveTables {
			err := tx.unpack(ctx, t, rows, func(batch string) (err error) {
				switch t.name {
				case annotator.ArchiveProject:
					project, err = tx.unpackProject(ctx, slug, name, batch)
					return err
				case "people":
					return tx.unpackPeople(ctx, batch)
				}
				if t.numbers && !t.ahead {
					if err := tx.unpackNumbers(ctx, t, batch); err != nil {
						return err
					}
				}
				return tx.unpackTable(ctx, t, project.ID, batch)
			})
			if err != nil {
				return err
			}
			if t.name == annotator.ArchiveProject && project.ID == 0 {
				return &annotator.DamagedError{Part: t.name, Err: errors.New("it is not there")}
			}
		}
		if _, err := tx.q.Exec(ctx, `SET CONSTRAINTS ALL IMMEDIATE`); err != nil {
			return damaged("rows", err)
		}
		active, err := tx.ActiveVersion(ctx, project.ID)
		if errors.Is(err, annotator.ErrNotFound) {
			return nil
		}
		if err == nil {
			err = tx.fillReserveInSteps(ctx, active)
		}
		if err == nil {
			err = tx.rankLater(ctx, project.ID)
		}
		return err
	})
	return project, err
}

// unpack hands the rows of a table over in batches, as JSON lists.
func (s *Store) unpack(ctx context.Context, t archiveTable, rows func(string, func([]byte) error) error, write func(batch string) error) error {
	var batch bytes.Buffer
	count := 0
	flush := func() error {
		if count == 0 {
			return nil
		}
		batch.WriteByte(']')
		err := damaged(t.name, write(batch.String()))
		batch.Reset()
		count = 0
		return err
	}
	err := rows(t.name, func(row []byte) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if count == 0 {
			batch.WriteByte('[')
		} else {
			batch.WriteByte(',')
		}
		batch.Write(row)
		if count++; count < unpackRows && batch.Len() < unpackBytes {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// damaged is what the database says against rows, as an archive's damage.
func damaged(part string, err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) != 5 || !slices.Contains([]string{"22", "23", "21"}, pg.Code[:2]) || violated(err) == "projects_slug_key" {
		return err
	}
	why := pg.Message
	if pg.Code == "23503" {
		why = "a row names one that is not there (" + pg.ConstraintName + ")"
	}
	return &annotator.DamagedError{Part: part, Err: errors.New(why)}
}

func (s *Store) unpackProject(ctx context.Context, slug, name, batch string) (annotator.Project, error) {
	id, err := one(ctx, s, pgx.RowTo[int64], `
		INSERT INTO projects (slug, name, description, created_at, start_method, start_radius, feedback, second_reviewer, mix, overlap_share, overlap_painters, overlap_seed, check_share, review_share, newcomer_maps)
		SELECT $1, $2, description, created_at, start_method, start_radius, coalesce(feedback, 'live'), coalesce(second_reviewer, false), coalesce(mix, '{"confident": 100}'),
			coalesce(overlap_share, 0), coalesce(overlap_painters, 2), coalesce(overlap_seed, 1), coalesce(check_share, 0), coalesce(review_share, 100), coalesce(newcomer_maps, 20) FROM json_populate_recordset(NULL::projects, $3::text::json) RETURNING id`, slug, name, batch)
	if violated(err) == "projects_slug_key" {
		return annotator.Project{}, annotator.ErrConflict
	}
	return annotator.Project{ID: id, Slug: slug, Name: name}, err
}

// unpackNumbers gives rows their ids, in their order.
func (s *Store) unpackNumbers(ctx context.Context, t archiveTable, batch string) error {
	_, err := s.q.Exec(ctx, `
		INSERT INTO archive_`+t.name+` (n, id)
		SELECT n, nextval(pg_get_serial_sequence('`+t.of+`', 'id')) FROM (SELECT (r->>'id')::bigint AS n FROM json_array_elements($1::text::json) r ORDER BY 1) x`, batch)
	return err
}

// unpackPeople finds people by their addresses, and adds those who are not here as names that cannot sign in.
func (s *Store) unpackPeople(ctx context.Context, batch string) error {
	const people = `json_to_recordset($1::text::json) AS r(id bigint, email text, name text, program boolean)`
	const found = `(u.generator AND u.came_as = '') = r.program AND lower(coalesce(nullif(u.came_as, ''), u.email)) = lower(r.email)`
	if _, err := s.q.Exec(ctx, `
		INSERT INTO users (email, name, role, generator, came_as)
		SELECT CASE WHEN r.program THEN r.email ELSE 'somebody-' || gen_random_uuid() || '@elsewhere.invalid' END, r.name, 'reviewer', true, CASE WHEN r.program THEN '' ELSE r.email END
		FROM `+people+` WHERE NOT EXISTS (SELECT FROM users u WHERE `+found+`)`, batch); err != nil {
		return err
	}
	_, err := s.q.Exec(ctx, `
		INSERT INTO archive_people (n, id)
		SELECT DISTINCT ON (r.id) r.id, u.id FROM `+people+` JOIN users u ON `+found+` ORDER BY r.id, u.generator, u.id`, batch)
	return err
}

func (s *Store) unpackTable(ctx context.Context, t archiveTable, projectID int64, batch string) error {
	var columns, values []string
	if t.numbers {
		columns, values = append(columns, "id"), append(values, "(SELECT id FROM archive_"+t.name+" WHERE n = r.id)")
	}
	args := []any{batch}
	if t.project {
		columns, values, args = append(columns, "project_id"), append(values, "$2"), append(args, projectID)
	}
	for _, c := range t.columns {
		columns, values = append(columns, c.name), append(values, c.in)
	}
	_, err := s.q.Exec(ctx, "INSERT INTO "+t.of+" ("+strings.Join(columns, ", ")+") OVERRIDING SYSTEM VALUE SELECT "+strings.Join(values, ", ")+
		" FROM json_populate_recordset(NULL::"+t.of+", $1::text::json) r", args...)
	return err
}
