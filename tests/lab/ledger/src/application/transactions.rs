//! What each kind of transaction does.

use super::values::text;
use super::{Application, Kind};
use crate::Error;
use crate::operation::{Digest, Operation};
use crate::session::{Session, Value};
use crate::tables::{
    BATCHES, CREDIT_NOTES, CUSTOMERS, DOCUMENTS, EVENTS, INVOICES, LINES, MEASUREMENTS, ORDERS, PRODUCTS, STOCK,
    TICKETS, WORK,
};

const TIERS: [&str; 3] = ["bronze", "silver", "gold"];
const STATUSES: [&str; 4] = ["new", "paid", "sent", "it's back"];
const REGIONS: [&str; 3] = ["north", "south", "east"];
const FILLED_PRODUCTS: i64 = 2000;
const WORK_ITEMS: u32 = 20;
const IMPORTED: u32 = 40;
const HAS_CUSTOMER: &str = "SELECT id::text FROM shop.customers WHERE id = $1::text::bigint FOR KEY SHARE";
const FILL_CART: &str = include_str!("fill_cart.sql");
const FILL_WORK: &str = include_str!("fill_work.sql");
const WORK_CONTENT: &str = include_str!("../work_content.sql");

impl Application {
    pub(super) async fn perform(&mut self, kind: Kind, session: &mut Session) -> Result<(), Error> {
        match kind {
            Kind::PlaceOrder => self.place_order(session).await,
            Kind::ChangeCustomer => self.change_customer(session).await,
            Kind::ChangeOrder => self.change_order(session).await,
            Kind::ChangeLine => self.change_line(session).await,
            Kind::RegisterCustomer => self.register_customer(session).await.map(drop),
            Kind::CountStock => self.count_stock(session).await,
            Kind::AddProduct => self.add_product(session).await,
            Kind::ChangeProduct => self.change_product(session).await,
            Kind::RenameProduct => self.rename_product(session).await,
            Kind::Measure => self.measure(session, 2).await,
            Kind::MoveMeasurement => self.move_measurement(session).await,
            Kind::StoreDocument => self.store_document(session).await,
            Kind::ChangeDocument => self.change_document(session).await,
            Kind::DropDocument => self.drop_document(session).await,
            Kind::CloseAccount => self.close_account(session).await,
            Kind::CancelOrder => self.cancel_order(session).await,
            Kind::Credit => self.credit(session).await,
            Kind::ChangeEvent => self.change_event(session).await,
            Kind::Savepoints => self.savepoints(session).await,
            Kind::Import => self.measure(session, IMPORTED).await,
            Kind::RefillWork => self.refill_work(session).await,
        }
    }

    async fn register_customer(&mut self, session: &mut Session) -> Result<Value, Error> {
        let v = &mut self.values;
        let mail = text(format!("c{}@shop.example", v.up_to(1_000_000)));
        let tier = text(v.one_of(&TIERS));
        let rest = [v.tags(), v.json(), v.amount(), v.birthday(), v.time()];
        let values = [[self.reference(), self.values.saying(), mail, tier].as_slice(), &rest].concat();
        let row = session.insert(&CUSTOMERS, &values, 1).await?;
        self.remember(&CUSTOMERS, &row);
        Ok(text(row.text(0)))
    }

    async fn customer(&mut self, session: &mut Session) -> Result<Value, Error> {
        if let Some(locator) = self.any(&CUSTOMERS)
            && !session.query(HAS_CUSTOMER, &locator).await?.is_empty()
        {
            return Ok(locator.into_iter().next().flatten());
        }
        self.register_customer(session).await
    }

    async fn place_order(&mut self, session: &mut Session) -> Result<(), Error> {
        let customer = self.customer(session).await?;
        let v = &mut self.values;
        let coupon = v.in_thousand(300).then(|| "SAVE".to_owned());
        let values = [customer, text(v.one_of(&STATUSES)), coupon, v.large(300), v.time()];
        let order = session.insert(&ORDERS, &values, 1).await?;
        self.remember(&ORDERS, &order);
        for line in 1..=self.values.up_to(3) {
            self.add_line(session, text(order.text(0)), line).await?;
        }
        session
            .insert(&INVOICES, &[text("EUR"), self.values.amount()], 1)
            .await?;
        if self.values.in_thousand(300) {
            self.note(session).await
        } else {
            Ok(())
        }
    }

    async fn add_line(&mut self, session: &mut Session, order: Value, line: i64) -> Result<(), Error> {
        let v = &mut self.values;
        let sku = text(format!("fill-{:06}", v.up_to(FILLED_PRODUCTS)));
        let price = text(format!("{}.99", v.up_to(500)));
        let values = [order, text(line), sku, v.saying(), text(v.up_to(9)), price];
        let row = session.insert(&LINES, &values, 1).await?;
        self.remember(&LINES, &row);
        Ok(())
    }

    /// A row in the table without a key, now and then twice the same.
    pub(super) async fn note(&mut self, session: &mut Session) -> Result<(), Error> {
        let copies = if self.values.in_thousand(250) { 2 } else { 1 };
        let values = [
            self.reference(),
            self.values.saying(),
            self.values.json(),
            self.values.time(),
        ];
        let row = session.insert(&EVENTS, &values, copies).await?;
        self.remember(&EVENTS, &row);
        Ok(())
    }

    async fn change_customer(&mut self, session: &mut Session) -> Result<(), Error> {
        let Some(locator) = self.any(&CUSTOMERS) else {
            return Ok(());
        };
        let v = &mut self.values;
        let changes = match v.up_to(3) {
            1 => vec![(7, v.amount())],
            2 => vec![(4, text(v.one_of(&TIERS))), (8, v.birthday())],
            _ => vec![(5, v.tags()), (6, v.json())],
        };
        session.update(&CUSTOMERS, &locator, &changes).await.map(drop)
    }

    async fn change_order(&mut self, session: &mut Session) -> Result<(), Error> {
        let Some(locator) = self.any(&ORDERS) else {
            return Ok(());
        };
        let changes = [(2, text(self.values.one_of(&STATUSES))), (3, None)];
        session.update(&ORDERS, &locator, &changes).await.map(drop)
    }

    async fn change_line(&mut self, session: &mut Session) -> Result<(), Error> {
        let locator = match self.any(&ORDERS) {
            Some(order) if self.values.in_thousand(500) => [order, vec![text(1)]].concat(),
            _ => match self.own(&LINES) {
                Some(line) => line,
                None => return Ok(()),
            },
        };
        let changes = [(4, text(self.values.up_to(9)))];
        session.update(&LINES, &locator, &changes).await.map(drop)
    }

    async fn count_stock(&mut self, session: &mut Session) -> Result<(), Error> {
        let filled = vec![
            text("main"),
            text(format!("fill-{:06}", self.values.up_to(FILLED_PRODUCTS))),
        ];
        let locator = match self.values.up_to(3) {
            1 => None,
            2 => self.own(&STOCK),
            _ => Some(filled),
        };
        let counted = [text(self.values.up_to(1000)), self.values.time()];
        if let Some(locator) = locator {
            let changes: Vec<_> = (2..).zip(counted).collect();
            return session.update(&STOCK, &locator, &changes).await.map(drop);
        }
        let values = [[text("it's \"new\""), self.reference()].as_slice(), &counted].concat();
        let row = session.insert(&STOCK, &values, 1).await?;
        self.remember(&STOCK, &row);
        Ok(())
    }

    async fn add_product(&mut self, session: &mut Session) -> Result<(), Error> {
        let values = [
            self.reference(),
            self.values.saying(),
            self.values.dimensions(),
            self.values.json(),
        ];
        let row = session.insert(&PRODUCTS, &values, 1).await?;
        self.remember(&PRODUCTS, &row);
        Ok(())
    }

    async fn change_product(&mut self, session: &mut Session) -> Result<(), Error> {
        let filled = vec![text(format!("fill-{:06}", self.values.up_to(FILLED_PRODUCTS)))];
        let locator = self
            .own(&PRODUCTS)
            .filter(|_| self.values.in_thousand(300))
            .unwrap_or(filled);
        let changes = [(1, self.values.saying()), (2, self.values.dimensions())];
        session.update(&PRODUCTS, &locator, &changes).await.map(drop)
    }

    async fn rename_product(&mut self, session: &mut Session) -> Result<(), Error> {
        let Some(locator) = self.own(&PRODUCTS) else {
            return Ok(());
        };
        let changes = [(0, self.reference())];
        if let Some(row) = session.update(&PRODUCTS, &locator, &changes).await? {
            self.remember(&PRODUCTS, &row);
        }
        Ok(())
    }

    async fn measure(&mut self, session: &mut Session, rows: u32) -> Result<(), Error> {
        for _ in 0..rows {
            self.counter += 1;
            let region = text(self.values.one_of(&REGIONS));
            let values = [
                text(&self.name),
                text(self.counter),
                region,
                self.values.time(),
                self.values.number(),
            ];
            let row = session.insert(&MEASUREMENTS, &values, 1).await?;
            self.remember(&MEASUREMENTS, &row);
        }
        Ok(())
    }

    /// Another time or region: often another partition, so a DELETE and an INSERT below.
    async fn move_measurement(&mut self, session: &mut Session) -> Result<(), Error> {
        let filled = vec![text("fill"), text(self.values.up_to(4000))];
        let locator = self
            .own(&MEASUREMENTS)
            .filter(|_| self.values.in_thousand(600))
            .unwrap_or(filled);
        let changes = [(2, text(self.values.one_of(&REGIONS))), (3, self.values.time())];
        session.update(&MEASUREMENTS, &locator, &changes).await.map(drop)
    }

    async fn store_document(&mut self, session: &mut Session) -> Result<(), Error> {
        let values = [
            self.reference(),
            self.values.saying(),
            self.values.large(20_000),
            self.values.large(8_000),
        ];
        let row = session.insert(&DOCUMENTS, &values, 1).await?;
        self.remember(&DOCUMENTS, &row);
        Ok(())
    }

    /// Mostly the title only: the large values stay as they are and aren't in the WAL.
    async fn change_document(&mut self, session: &mut Session) -> Result<(), Error> {
        let Some(locator) = self.any(&DOCUMENTS) else {
            return Ok(());
        };
        let v = &mut self.values;
        let changes = match v.up_to(4) {
            1 => vec![(3, v.large(12_000))],
            2 => vec![(2, v.saying()), (4, v.large(4_000))],
            _ => vec![(2, v.saying())],
        };
        session.update(&DOCUMENTS, &locator, &changes).await.map(drop)
    }

    async fn drop_document(&mut self, session: &mut Session) -> Result<(), Error> {
        let Some(locator) = self.any(&DOCUMENTS) else {
            return Ok(());
        };
        session.delete(&DOCUMENTS, &locator).await.map(drop)
    }

    /// Deletes a customer with all orders and their lines, by cascade.
    async fn close_account(&mut self, session: &mut Session) -> Result<(), Error> {
        let Some(locator) = self.any(&CUSTOMERS) else {
            return Ok(());
        };
        // The customer's lock keeps new orders away while the old ones are read.
        if session.lock(&CUSTOMERS, CUSTOMERS.locator, &locator).await?.is_empty() {
            return Ok(());
        }
        for order in session.cascade(&ORDERS, 1, &locator[0]).await? {
            session.cascade(&LINES, 0, &text(order.text(0))).await?;
        }
        session.delete(&CUSTOMERS, &locator).await.map(drop)
    }

    async fn cancel_order(&mut self, session: &mut Session) -> Result<(), Error> {
        let Some(locator) = self.any(&ORDERS) else {
            return Ok(());
        };
        if session.lock(&ORDERS, ORDERS.locator, &locator).await?.is_empty() {
            return Ok(());
        }
        session.cascade(&LINES, 0, &locator[0]).await?;
        session.delete(&ORDERS, &locator).await.map(drop)
    }

    async fn credit(&mut self, session: &mut Session) -> Result<(), Error> {
        session
            .insert(&CREDIT_NOTES, &[self.values.amount(), self.values.saying()], 1)
            .await?;
        session.insert(&TICKETS, &[self.values.saying()], 1).await.map(drop)
    }

    async fn change_event(&mut self, session: &mut Session) -> Result<(), Error> {
        let filled = vec![text(format!("fill:{}", self.values.up_to(1000)))];
        let locator = self
            .own(&EVENTS)
            .filter(|_| self.values.in_thousand(700))
            .unwrap_or(filled);
        if self.values.in_thousand(300) {
            return session.delete(&EVENTS, &locator).await.map(drop);
        }
        let changes = [(1, self.values.saying())];
        session.update(&EVENTS, &locator, &changes).await.map(drop)
    }

    /// The inner part is rolled back; what came before and comes after it stays.
    async fn savepoints(&mut self, session: &mut Session) -> Result<(), Error> {
        self.note(session).await?;
        session.run("SAVEPOINT inner_part").await?;
        let mark = session.mark();
        self.place_order(session).await?;
        self.change_customer(session).await?;
        session.run("ROLLBACK TO SAVEPOINT inner_part").await?;
        session.forget_from(mark);
        session.run("SAVEPOINT second_part").await?;
        self.add_product(session).await?;
        session.run("RELEASE SAVEPOINT second_part").await
    }

    /// TRUNCATE and refill in one transaction; the batch's row puts those of several writers in an order.
    async fn refill_work(&mut self, session: &mut Session) -> Result<(), Error> {
        let Some(batch) = session.update(&BATCHES, &[text(1)], &[]).await? else {
            return Ok(());
        };
        let rows = session.query(WORK_CONTENT, &[]).await?;
        let before = rows
            .first()
            .map(|row| row.try_get::<_, &str>(2))
            .transpose()?
            .and_then(Digest::parse);
        session.run("TRUNCATE shop.work_items").await?;
        let (generation, payload) = (batch.version(), self.reference().unwrap_or_default());
        session
            .query(FILL_WORK, &[text(generation), text(&payload), text(WORK_ITEMS)])
            .await?;
        let content: Vec<_> = (1..=WORK_ITEMS).map(|item| format!("{item}:{payload}")).collect();
        let after = Some(Digest::of(&content.join("|")));
        session.add(Operation(WORK.number, "*".into(), generation, before, after, 1));
        Ok(())
    }

    /// The unlogged table: never recorded, so never judged.
    pub(super) async fn fill_cart(&mut self, session: &mut Session) -> Result<(), Error> {
        let cart = text(format!("{}/{}", self.name, self.values.up_to(50)));
        session.query(FILL_CART, &[cart, self.values.json()]).await.map(drop)
    }
}
