package trainer

// Strategy says which branches a fine-tuning updates (Mitsuhara et al., section 3.3). The extractor is
// never among them; StrategyScratch, for training a network of our own making, updates everything.
type Strategy string

// The strategies.
const (
	StrategyAttention Strategy = "attention" // the attention branch; L_per still sends its gradient through M
	StrategyBoth      Strategy = "both"      // attention and perception branch
	StrategyScratch   Strategy = "scratch"   // extractor too
)

// MapLoss names the form of L_map.
type MapLoss string

// The forms: the paper's unsquared L2 norm over the cells, the mean over the cells of squared
// differences, and the mean of absolute ones; each averaged over the batch's edited rows.
const (
	MapLossL2  MapLoss = "l2"
	MapLossMSE MapLoss = "mse"
	MapLossL1  MapLoss = "l1"
)

// BatchNorm says how a kept BatchNormalization of a trained branch is treated.
type BatchNorm string

// With frozen statistics scale and shift are trained and the running statistics used and left alone;
// with batch statistics the batch's own are used and the running ones follow them (momentum 0.1,
// unbiased variance, as PyTorch does). BatchNorms of branches that are not trained are always frozen.
const (
	BatchNormFrozen BatchNorm = "frozen"
	BatchNormBatch  BatchNorm = "batch"
)

// Schedule names how the learning rate moves over a run.
type Schedule string

// The schedules: one half cosine from the peak to zero after a short linear warm-up; ÷10 at half and at three quarters of
// the run; constant.
const (
	ScheduleCosine   Schedule = "cosine"
	ScheduleStep     Schedule = "step"
	ScheduleConstant Schedule = "constant"
)

// Settings is all a training run depends on besides its data. WithDefaults fills zero fields; Gamma 0 is a value, not a default.
type Settings struct {
	Strategy     Strategy
	Gamma        float64 // scale of L_map, ≥ 0
	MapLoss      MapLoss
	BatchNorm    BatchNorm
	Epochs       int
	BatchSize    int
	LearningRate float64 // peak
	Momentum     float64 // PyTorch's form: buf = momentum·buf + grad; p −= lr·buf
	WeightDecay  float64 // added to the gradient of every trained parameter
	Schedule     Schedule
	Flip         bool // horizontal flips with probability ½, the edited map flipped too
	Seed         int64
}
