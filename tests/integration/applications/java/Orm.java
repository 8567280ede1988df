import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.GeneratedValue;
import jakarta.persistence.GenerationType;
import jakarta.persistence.Id;
import jakarta.persistence.JoinColumn;
import jakarta.persistence.ManyToOne;
import jakarta.persistence.OneToMany;
import jakarta.persistence.OrderBy;
import jakarta.persistence.Table;
import java.math.BigDecimal;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.hibernate.Session;
import org.hibernate.SessionFactory;
import org.hibernate.cfg.Configuration;

/** Hibernate: it validates tables, makes and changes them, and works with entities. */
final class Orm {
  @Entity(name = "Person")
  @Table(name = "users")
  static class Person {
    @Id
    @GeneratedValue(strategy = GenerationType.IDENTITY)
    Long id;

    @Column(columnDefinition = "text")
    String email;

    @Column(columnDefinition = "text")
    String ssn;

    Integer age;
    LocalDate born;

    @Column(precision = 12, scale = 2)
    BigDecimal balance;

    @Column(length = 20)
    String nick;

    byte[] photo;

    @OneToMany(mappedBy = "person")
    @OrderBy("id")
    List<Purchase> purchases = new ArrayList<>();

    List<Object> seen() {
      return java.util.Arrays.asList(id, email, ssn, age, born, balance, nick, photo);
    }
  }

  @Entity(name = "Purchase")
  @Table(name = "orders")
  static class Purchase {
    @Id
    @GeneratedValue(strategy = GenerationType.IDENTITY)
    Long id;

    @ManyToOne
    @JoinColumn(name = "user_id")
    Person person;

    @Column(columnDefinition = "text")
    String buyer;

    BigDecimal total;

    @Column(columnDefinition = "text")
    String note;
  }

  /** What the next release of the application believes: a column more. */
  @Entity(name = "NextPerson")
  @Table(name = "users")
  static class NextPerson {
    @Id Long id;
    LocalDate born;

    @Column(length = 20)
    String nick;

    LocalDate remembered;
  }

  /** It is wrong about a protected column. */
  @Entity(name = "WrongPerson")
  @Table(name = "users")
  static class WrongPerson {
    @Id Long id;
    @Column(name = "born") Integer wrong;
  }

  private static final Logger LOGGER = Logger.getLogger("org.hibernate");

  private final String url;
  private final Report report;

  private Orm(String url, Report report) {
    this.url = url;
    this.report = report;
  }

  static void all(String url, Report report) {
    LOGGER.setLevel(Level.OFF);
    var orm = new Orm(url, report);
    orm.schema();
    try (var factory = orm.factory("validate", Person.class, Purchase.class)) {
      orm.entities(factory);
      orm.queries(factory);
    }
  }

  private SessionFactory factory(String schema, Class<?>... entities) {
    var configuration = new Configuration()
        .setProperty("hibernate.connection.url", url)
        .setProperty("hibernate.hbm2ddl.auto", schema)
        .setProperty("hibernate.hbm2ddl.halt_on_error", "true");
    for (var entity : entities) {
      configuration.addAnnotatedClass(entity);
    }
    return configuration.buildSessionFactory();
  }

  private void schema() {
    report.step("tables that are not Hibernate's are valid", () -> validated(Person.class, Purchase.class));
    report.step("a wrong type is found", () -> validated(WrongPerson.class));
    report.step("a table is made", () -> {
      changed("DROP TABLE orders");
      factory("update", Person.class, Purchase.class).close();
      return validated(Person.class, Purchase.class);
    });
    report.step("a column is made", () -> {
      factory("update", NextPerson.class).close();
      var seen = validated(NextPerson.class);
      changed("ALTER TABLE users DROP COLUMN remembered");
      return seen;
    });
    report.step("a column that is not there", () -> validated(NextPerson.class));
  }

  private String validated(Class<?>... entities) {
    factory("validate", entities).close();
    return "valid";
  }

  private void changed(String sql) {
    try (var factory = factory("none", Person.class, Purchase.class)) {
      factory.inTransaction(session -> session.createNativeMutationQuery(sql).executeUpdate());
    }
  }

  private void within(SessionFactory factory, String name, Function<Session, Object> work) {
    report.step(name, () -> factory.fromTransaction(work));
  }

  private void entities(SessionFactory factory) {
    within(factory, "persisted", session -> {
      var all = new ArrayList<Object>();
      for (int n = 1; n <= 4; n++) {
        var person = new Person();
        person.email = "kanarie-" + n;
        person.age = n % 2 == 0 ? 1733173317 : n;
        person.born = n == 4 ? null : LocalDate.of(1973, 3, 31);
        person.balance = new BigDecimal("12.50");
        person.nick = "kanarie";
        person.photo = "kanarie".getBytes();
        session.persist(person);
        var purchase = new Purchase();
        purchase.person = person;
        purchase.buyer = "kanarie-" + (n + 1);
        purchase.total = new BigDecimal(n);
        session.persist(purchase);
        all.add(person.id);
      }
      return all;
    });
    within(factory, "found by its key", session -> session.find(Person.class, 1L).seen());
    within(factory, "changed", session -> {
      var person = session.find(Person.class, 2L);
      person.born = LocalDate.of(2001, 1, 1);
      person.nick = "kanarie two";
      person.ssn = "kanarie";
      session.flush();
      session.refresh(person);
      return person.seen();
    });
    within(factory, "merged", session -> {
      var person = new Person();
      person.id = 3L;
      person.email = "kanarie-merged";
      return session.merge(person).seen();
    });
    within(factory, "its collection", session ->
        session.find(Person.class, 1L).purchases.stream().map(purchase -> purchase.buyer).toList());
    within(factory, "removed", session -> {
      session.createMutationQuery("delete Purchase where buyer = :buyer").setParameter("buyer", "kanarie-5").executeUpdate();
      session.remove(session.find(Person.class, 4L));
      return "gone";
    });
    within(factory, "of one key twice", session -> {
      var person = new Person();
      person.email = "kanarie-1";
      session.persist(person);
      return "persisted";
    });
  }

  private void queries(SessionFactory factory) {
    within(factory, "by a protected column", session ->
        session.createSelectionQuery("from Person where email = :email and age = 1", Person.class)
            .setParameter("email", "kanarie-1").getResultList().stream().map(Person::seen).toList());
    within(factory, "in a list", session ->
        session.createSelectionQuery("select p.born, p.nick from Person p where p.email in (:emails) order by p.id", Object[].class)
            .setParameterList("emails", List.of("kanarie-1", "kanarie-2")).getResultList());
    within(factory, "by criteria", session -> {
      var builder = session.getCriteriaBuilder();
      var query = builder.createQuery(Person.class);
      var person = query.from(Person.class);
      query.where(builder.or(builder.equal(person.get("nick"), "kanarie two"), builder.isNull(person.get("born")))).orderBy(builder.asc(person.get("id")));
      return session.createQuery(query).getResultList().stream().map(Person::seen).toList();
    });
    within(factory, "joined", session ->
        session.createSelectionQuery("select p.email, o.total from Purchase o join Person p on p.email = o.buyer order by o.id", Object[].class).getResultList());
    within(factory, "fetched with its collection", session ->
        session.createSelectionQuery("select p from Person p left join fetch p.purchases order by p.id", Person.class)
            .getResultList().stream().map(person -> List.of(person.email, person.purchases.size())).toList());
    within(factory, "in pages", session ->
        session.createSelectionQuery("select email from Person order by id", String.class).setFirstResult(1).setMaxResults(2).getResultList());
    within(factory, "counted", session ->
        session.createSelectionQuery("select count(distinct p.email), count(p.born) from Person p", Object[].class).getSingleResult());
    within(factory, "changed in bulk", session ->
        session.createMutationQuery("update Person set nick = :nick, born = :born where email = :email")
            .setParameter("nick", "kanarie bulk").setParameter("born", LocalDate.of(1973, 3, 31)).setParameter("email", "kanarie-1").executeUpdate());
    within(factory, "native", session ->
        session.createNativeQuery("SELECT id, nick, born FROM users WHERE nick = ?", Object[].class).setParameter(1, "kanarie bulk").getResultList());
    within(factory, "sorted by a protected column", session ->
        session.createSelectionQuery("select id from Person order by born", Long.class).getResultList());
  }
}
