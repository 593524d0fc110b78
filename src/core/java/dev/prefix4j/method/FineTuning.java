package dev.prefix4j.method;

import dev.prefix4j.model.AutogradModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.Shapes;
import java.util.List;
import java.util.Map;

/** All weights of the model (Li and Liang 2021, section 5.2: FINE-TUNE). */
public record FineTuning() implements AutogradMethod {
    @Override
    public String name() {
        return "fine-tune";
    }

    @Override
    public Map<String, List<Long>> stored(ModelConfig config) {
        return Shapes.of(config);
    }

    @Override
    public Trained trained(BaseModel model) {
        BaseModel own = model.trainable();
        return new Trained(own.weights(), new AutogradModel(own));
    }
}
