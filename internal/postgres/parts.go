package postgres

// The classes of background work, by the names that River's queues have for them. A worker does one part of heavy work at a time
// and a few of the others beside it.
const (
	HeavyWork = "model" // scan, round, evaluate, forecast, rank: they keep all cores busy
	LightWork = "light" // add, fingerprint, tidy: they read files
	Outbound  = "out"   // deliveries of webhooks: they wait for others' servers
)

// ScanArgs asks a worker to take part in a scan: to claim chunks (Store.ClaimChunk) until none is left. A scan has several such parts,
// for several workers.
type ScanArgs struct {
	JobID     int64 `json:"job_id"`
	VersionID int64 `json:"version_id"`
	Share     int   `json:"share"` // from 0: which of the scan's parts this is
}

// Kind names the part in River's table.
func (ScanArgs) Kind() string { return "scan" }

// RoundArgs asks for a round to be trained and measured.
type RoundArgs struct {
	JobID   int64 `json:"job_id"`
	RoundID int64 `json:"round_id"`
}

// Kind names the part in River's table.
func (RoundArgs) Kind() string { return "round" }

// EvaluateArgs asks for a version's figures over the labelled splits.
type EvaluateArgs struct {
	JobID     int64 `json:"job_id"`
	VersionID int64 `json:"version_id"`
}

// Kind names the part in River's table.
func (EvaluateArgs) Kind() string { return "evaluate" }

// ForecastArgs asks for a version's forecast from the edits that are approved when the work begins.
type ForecastArgs struct {
	JobID     int64 `json:"job_id"`
	VersionID int64 `json:"version_id"`
}

// Kind names the part in River's table.
func (ForecastArgs) Kind() string { return "forecast" }

// AddArgs asks for an uploaded model to be run once and made a version.
type AddArgs struct {
	JobID    int64 `json:"job_id"`
	UploadID int64 `json:"upload_id"`
}

// Kind names the part in River's table.
func (AddArgs) Kind() string { return "add" }

// FingerprintArgs asks for the fingerprints of all images that have none. It is inserted at the end of an import and periodically, and
// no page shows it.
type FingerprintArgs struct{}

// Kind names the part in River's table.
func (FingerprintArgs) Kind() string { return "fingerprint" }

// RankArgs asks for the places of images in the orders of all projects where they are due. It is inserted at the end of a scan, when a
// mix is set, and periodically, and no page shows it.
type RankArgs struct{}

// Kind names the part in River's table.
func (RankArgs) Kind() string { return "rank" }

// TidyArgs asks for files that no row refers to to be removed. It is inserted periodically, and no page shows it.
type TidyArgs struct{}

// Kind names the part in River's table.
func (TidyArgs) Kind() string { return "tidy" }

// TallyArgs asks for the counts of tasks and images to be added up. It is inserted periodically, and no page shows it.
type TallyArgs struct{}

// Kind names the part in River's table.
func (TallyArgs) Kind() string { return "tally" }

// DeliveryArgs asks for a line of the trail to be sent to a webhook.
type DeliveryArgs struct {
	DeliveryID int64 `json:"delivery_id"`
}

// Kind names the part in River's table.
func (DeliveryArgs) Kind() string { return "delivery" }
