/*
 * test/bench/SparkUsers.java
 *    a topic of users into a table, by Spark Structured Streaming: the pipeline that userstream replaces
 *
 * usage: SparkUsers ADDRESS TOPIC URL TABLE FOLDER PER_TRIGGER      until SIGTERM
 *
 * FOLDER gets the checkpoint, which is the position, and what Spark writes
 * besides.  URL is that of JDBC, with user and password.  A batch is written
 * before the checkpoint says so, and in a transaction for each partition: so a
 * crash loses nothing, but what was written comes again.
 */
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.from_json;

import org.apache.spark.api.java.function.VoidFunction2;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

public class SparkUsers {
	private static final String[] COLUMNS = {"id", "first_name", "last_name", "gender", "address", "email", "username",
			"phone", "picture", "nationality", "dob", "registered_at"};

	public static void main(String[] args) throws Exception {
		String address = args[0], topic = args[1], url = args[2], table = args[3], folder = args[4], perTrigger = args[5];

		SparkSession spark = SparkSession.builder().appName("users").master("local[2]")
				.config("spark.ui.enabled", "false").config("spark.log.level", "WARN")
				.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
				.config("spark.local.dir", folder + "/local")
				.config("spark.sql.warehouse.dir", folder + "/warehouse").getOrCreate();

		/* all are strings: PostgreSQL makes a uuid and moments of them */
		StructType schema = new StructType();
		for (String column : COLUMNS)
			schema = schema.add(column, DataTypes.StringType);

		Dataset<Row> users = spark.readStream().format("kafka")
				.option("kafka.bootstrap.servers", address).option("subscribe", topic)
				.option("startingOffsets", "earliest").option("maxOffsetsPerTrigger", perTrigger).load()
				.select(from_json(col("value").cast("string"), schema).as("user")).select("user.*");

		VoidFunction2<Dataset<Row>, Long> append = (batch, id) -> batch.write().format("jdbc")
				.option("url", url).option("dbtable", table).option("batchsize", 10000).mode(SaveMode.Append).save();

		users.writeStream().foreachBatch(append).option("checkpointLocation", folder + "/checkpoint")
				.start().awaitTermination();
	}
}
